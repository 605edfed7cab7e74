// gzip members and zlib streams: what `gzip -d` reads is read, what it refuses is refused.
import { deflateSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { PagefoldError } from "../../../src/core/errors.ts";
import { inflated, inflatedHead, isGzip } from "../../../src/image/containers/gzip.ts";
import { inPieces } from "../../support/engine.ts";
import { mixed } from "../../support/images.ts";
import { reused } from "../../support/pieces.ts";
import { randomSeed, seededRandom } from "../../support/random.ts";

const random = seededRandom(randomSeed("gzip"));
const content = mixed(random, 200);

async function readAll(
  bytes: AsyncIterable<Uint8Array>,
  kind: "gzip" | "zlib" = "gzip",
  signal?: AbortSignal,
): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const piece of inflated(bytes, kind, { name: "a", signal })) {
    parts.push(Buffer.from(piece));
  }
  return Buffer.concat(parts);
}

async function refusal(bytes: Uint8Array, kind: "gzip" | "zlib" = "gzip"): Promise<string> {
  const error = await readAll(inPieces(bytes, 1000), kind).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(PagefoldError);
  expect(error).toMatchObject({ code: "DAMAGED" });
  return (error as Error).message;
}

describe("gzip", () => {
  it.each([100, 4096, 1 << 18])("reads pieces of %i bytes that are used again", async (size) => {
    expect((await readAll(reused(gzipSync(content), size))).equals(content)).toBe(true);
    const zlib = await readAll(reused(deflateSync(content), size), "zlib");
    expect(zlib.equals(content)).toBe(true);
  });

  it("reads members one after another, wherever they are cut", async () => {
    const [one, two] = [gzipSync("first "), gzipSync("second")];
    const both = Buffer.concat([one, two]);
    for (let cut = 0; cut <= both.length; cut++) {
      const pieces = async function* () {
        yield both.subarray(0, cut);
        yield both.subarray(cut);
      };
      expect((await readAll(pieces())).toString()).toBe("first second");
    }
    expect((await readAll(inPieces(both, 1))).toString()).toBe("first second");
  });

  it("passes over zeros at the end, and over nothing else", async () => {
    const padded = Buffer.concat([gzipSync(content), Buffer.alloc(5000)]);
    for (const size of [1000, padded.length]) {
      expect((await readAll(inPieces(padded, size))).equals(content)).toBe(true);
    }
    const more = Buffer.concat([gzipSync(content), Buffer.from("garbage")]);
    expect(await refusal(more)).toMatch(/^a: gzip: incorrect header check after \d+ bytes$/);
    const behind = Buffer.concat([deflateSync(content), Buffer.from("garbage")]);
    expect(await refusal(behind, "zlib")).toBe("a: zlib: 7 bytes follow its end");
    for (const [kind, good] of [
      ["gzip", gzipSync("x")],
      ["zlib", deflateSync("x")],
    ] as const) {
      const apart = async function* () {
        yield good;
        yield Buffer.from("garbage");
      };
      await expect(readAll(apart(), kind)).rejects.toMatchObject({ code: "DAMAGED" });
    }
  });

  it("refuses what is cut or damaged", async () => {
    const good = gzipSync(content);
    expect(await refusal(good.subarray(0, 5000))).toBe(
      "a: gzip: truncated: the input ends after 5000 bytes",
    );
    const wrong = Buffer.from(good);
    wrong[wrong.length - 6] ^= 1;
    expect(await refusal(wrong)).toMatch(/^a: gzip: incorrect data check after \d+ bytes$/);
  });

  it("closes its source when nobody wants more, when it fails, when it is aborted", async () => {
    let closed = 0;
    const packed = gzipSync(random.bytes(2_000_000));
    async function* source(bytes: Uint8Array, hangs = false): AsyncGenerator<Uint8Array> {
      try {
        yield* inPieces(bytes, 1000);
        if (hangs) await new Promise(() => undefined);
      } finally {
        closed++;
      }
    }
    for await (const _ of inflated(source(packed), "gzip", { name: "a" })) break;
    expect(closed).toBe(1);
    const broken = Buffer.concat([gzipSync("x"), Buffer.from("garbage"), Buffer.alloc(90_000)]);
    await expect(readAll(source(broken))).rejects.toMatchObject({ code: "DAMAGED" });
    expect(closed).toBe(2);
    const signal = AbortSignal.timeout(50);
    await expect(readAll(source(packed.subarray(0, 9000), true), "gzip", signal)).rejects.toThrow(
      "aborted due to timeout",
    );
  });

  it("is known by its first bytes", () => {
    expect(isGzip(gzipSync("x"))).toBe(true);
    expect(isGzip(Uint8Array.of(0x1f, 0x8b, 8))).toBe(false);
    expect(isGzip(Uint8Array.of(0x1f, 0x8b, 8, 0xe0))).toBe(false);
    expect(isGzip(new Uint8Array(0))).toBe(false);
    const head = inflatedHead(deflateSync(content, { windowBits: 11 }).subarray(0, 4096));
    expect(head && content.subarray(0, 64).equals(head.subarray(0, 64))).toBe(true);
    expect(inflatedHead(random.bytes(0))).toBeUndefined();
    expect(inflatedHead(Buffer.from("x\x9cnothing of the kind"))).toBeUndefined();
  });
});
