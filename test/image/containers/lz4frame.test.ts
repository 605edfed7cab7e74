// LZ4 frames: of every shape, in pieces of any size, broken, and mutated.
import { describe, expect, it } from "vitest";
import { PagefoldError } from "../../../src/core/errors.ts";
import { Lz4Reader } from "../../../src/image/containers/lz4frame.ts";
import { inPieces } from "../../support/engine.ts";
import { type Lz4Shape, lz4Frames, lz4Legacy, u32 } from "../../support/lz4-frames.ts";
import { memoryLike } from "../../support/lz4-inputs.ts";
import { randomSeed, seededRandom } from "../../support/random.ts";
import { skippableFrame } from "../../support/zstd-vectors.ts";

const reader = new Lz4Reader();
const seed = randomSeed("lz4 frames");
const random = seededRandom(seed);
const content = Buffer.concat([
  memoryLike(70_000, seed),
  Buffer.alloc(30_000),
  random.bytes(3000),
  memoryLike(50_001, seed),
]);

async function readAll(bytes: Uint8Array, size = 65_536): Promise<Buffer> {
  const parts: Buffer[] = [];
  const pieces = inPieces(bytes, size);
  for await (const piece of reader.read(pieces, { name: "a" })) parts.push(Buffer.from(piece));
  return Buffer.concat(parts);
}

async function refusal(bytes: Uint8Array): Promise<string> {
  const error = await readAll(bytes).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(PagefoldError);
  return `${(error as PagefoldError).code} ${(error as Error).message}`;
}

const SHAPES: Lz4Shape[] = [
  {},
  { isLinked: true },
  { isLinked: true, blockBytes: 777, hasBlockChecks: true },
  { isLinked: true, storedEvery: 2, blockKind: 5, blockBytes: 40_000, isSized: true },
  { hasBlockChecks: true, hasContentCheck: false, blockKind: 7 },
  { isSized: true, frameBytes: 50_000 },
  { isLinked: true, frameBytes: 33_333, storedEvery: 3, blockBytes: 5000 },
];

describe("lz4 frames", () => {
  it.each(SHAPES)("give their content: %j", async (shape) => {
    expect((await readAll(lz4Frames(content, shape))).equals(content)).toBe(true);
  });

  it.each([1, 3, 1000])("come in pieces of %i bytes", async (size) => {
    const small = content.subarray(60_000, 75_000);
    const frames = Buffer.concat([
      skippableFrame(99),
      lz4Frames(small, { isLinked: true, blockBytes: 900, frameBytes: 7000, isSized: true }),
      lz4Legacy(small),
      lz4Frames(small),
      skippableFrame(0),
    ]);
    const all = Buffer.concat([small, small, small]);
    expect((await readAll(frames, size)).equals(all)).toBe(true);
  });

  it("may be empty, and legacy ones may have several blocks", async () => {
    expect(await readAll(lz4Frames(new Uint8Array(0)))).toHaveLength(0);
    expect(await readAll(lz4Legacy(new Uint8Array(0)))).toHaveLength(0);
    const twice = Buffer.concat([lz4Legacy(content, 50_000), lz4Legacy(content)]);
    expect((await readAll(twice)).equals(Buffer.concat([content, content]))).toBe(true);
  });

  it("move their window where many blocks follow one another", async () => {
    const long = Buffer.concat(Array.from({ length: 30 }, () => content));
    const shape = { isLinked: true, blockBytes: 60_000, hasContentCheck: true };
    const frames = lz4Frames(long.subarray(0, 3_000_000), shape);
    expect((await readAll(frames)).equals(long.subarray(0, 3_000_000))).toBe(true);
  });

  it("are refused with place and reason", async () => {
    const good = lz4Frames(content, { hasBlockChecks: true, isSized: true, isLinked: true });
    const frame = "DAMAGED a: LZ4 frame 1 at byte 0:";
    const changed = (at: number, value: number) => {
      const bytes = Buffer.from(good);
      bytes[at] = value;
      return bytes;
    };
    expect(await refusal(good.subarray(0, 1000))).toBe(
      `${frame} truncated: the input ends after 1000 bytes`,
    );
    expect(await refusal(changed(4, 0x80))).toBe(
      "FORMAT a: LZ4 frame 1 at byte 0: its version is 2, only version 1 is read",
    );
    expect(await refusal(changed(4, good[4] | 2))).toContain("a reserved bit is set");
    expect(await refusal(changed(5, 0x30))).toContain("its block size is of the reserved kind 3");
    expect(await refusal(changed(6, 9))).toMatch(/: its head has the check \d+, it says \d+$/);
    expect(await refusal(changed(2000, good[2000] ^ 1))).toMatch(
      /: block 1 at byte 15 has the checksum [0-9a-f]{8}, the frame says [0-9a-f]{8}$/,
    );
    expect(await refusal(changed(good.length - 1, good[good.length - 1] ^ 1))).toMatch(
      /: its content has the checksum [0-9a-f]{8}, the frame says [0-9a-f]{8}$/,
    );
    expect(await refusal(Buffer.concat([good, Buffer.from("more")]))).toBe(
      `DAMAGED a: no LZ4 frame begins at byte ${good.length}`,
    );
    const large = Buffer.from(lz4Frames(content));
    large.writeUInt32LE(65_537, 7);
    expect(await refusal(large)).toContain("block 1 at byte 7: it has 65537 bytes, the limit is");
    const legacy = Buffer.concat([u32(0x184c2102), u32(5), Buffer.from([0, 9, 0, 0, 0])]);
    expect(await refusal(legacy)).toBe(
      `${frame} block 1 at byte 4: a match reaches outside of the window`,
    );
    const few = Buffer.from(lz4Frames(content.subarray(0, 10), { isSized: true }));
    expect(await refusal(few.subarray(0, 3))).toContain("DAMAGED a: no LZ4 frame begins");
  });

  it("say so when they need a dictionary", async () => {
    const { default: xxhash } = await import("xxhash-wasm");
    const head = Buffer.from([0x61, 0x40, 7, 0, 0, 0]);
    const check = ((await xxhash()).h32Raw(head) >>> 8) & 0xff;
    const frame = Buffer.concat([u32(0x184d2204), head, Buffer.from([check])]);
    expect(await refusal(frame)).toBe(
      "FORMAT a: LZ4 frame 1 at byte 0: it needs the dictionary 7; dictionaries are not supported",
    );
  });
});
