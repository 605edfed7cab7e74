// Zstandard streams: frozen frames in pieces of any size, windows that move, and one clear line
// for everything that is refused.
import { describe, expect, it } from "vitest";
import { PagefoldError } from "../../../src/core/errors.ts";
import { ZstdReader } from "../../../src/image/containers/zstd.ts";
import { piecesOf } from "../../support/pieces.ts";
import { randomSeed, seededRandom } from "../../support/random.ts";
import {
  contentsOf,
  readZstdVector,
  skippableFrame,
  ZSTD_VECTORS,
} from "../../support/zstd-vectors.ts";

const MAGIC = [0x28, 0xb5, 0x2f, 0xfd];
const FRAME = "a.zst: Zstandard frame 1 at byte 0";
const LAST_RAW_BYTE = [9, 0, 0, 7];

const zstd = new ZstdReader();

async function readAll(bytes: Uint8Array, next: () => number = () => 65_536): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of zstd.read(piecesOf(bytes, next), { name: "a.zst" })) {
    expect(part.length).toBeLessThanOrEqual(131_072);
    parts.push(Buffer.from(part));
  }
  return Buffer.concat(parts);
}

async function refusal(bytes: Uint8Array): Promise<string> {
  const error = await readAll(bytes).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(PagefoldError);
  const { code, message } = error as PagefoldError;
  return `${code} ${message}`;
}

describe("zstd stream", () => {
  it.each(ZSTD_VECTORS)("reads $name in pieces of any size", async (vector) => {
    const frames = readZstdVector(vector.name);
    const content = Buffer.concat(contentsOf(vector));
    expect((await readAll(frames)).equals(content)).toBe(true);
    const random = seededRandom(randomSeed("zstd pieces"));
    const sizes = () => random.int(1 << random.int(14));
    expect((await readAll(frames, sizes)).equals(content)).toBe(true);
    if (frames.length > 5000) return;
    expect((await readAll(frames, () => 1)).equals(content)).toBe(true);
  });

  it("goes from a small frame to a large window and back", async () => {
    const names = ["level-1", "small-window", "long", "one-byte", "tiny-window"];
    const vectors = ZSTD_VECTORS.filter(({ name }) => names.includes(name));
    const content = Buffer.concat(vectors.flatMap(contentsOf));
    const frames = Buffer.concat(vectors.map(({ name }) => readZstdVector(name)));
    expect((await readAll(frames)).equals(content)).toBe(true);
  });

  it.each(ZSTD_VECTORS)(
    "knows the length of $name without decoding what says it",
    async (vector) => {
      const frames = readZstdVector(vector.name);
      const byteLength = Buffer.concat(contentsOf(vector)).length;
      const pieces = piecesOf(frames, () => 999);
      expect(await zstd.contentBytes(pieces, { name: "a.zst" })).toBe(byteLength);
    },
  );

  it("believes a frame that says its length, until it is read", async () => {
    const frame = [...MAGIC, 0x20, 9, 0x1d, 0, 0, 8, 7, 5];
    const pieces = piecesOf(Uint8Array.from(frame), () => 1);
    expect(await zstd.contentBytes(pieces, { name: "a.zst" })).toBe(9);
    const cut = piecesOf(Uint8Array.from(frame.slice(0, -1)), () => 1);
    await expect(zstd.contentBytes(cut, { name: "a.zst" })).rejects.toThrow("truncated");
  });

  it("refuses a stream cut anywhere", async () => {
    for (const name of ["level-3", "empty", "skippable"]) {
      const frames = readZstdVector(name);
      const ends = new Set(name === "skippable" ? soundEnds(frames).slice(2) : []);
      for (let length = 5; length < frames.length; length++) {
        if (ends.has(length)) continue;
        const message = await refusal(frames.subarray(0, length));
        expect(message).toMatch(
          /^(DAMAGED|FORMAT) a\.zst: (.* \d at byte \d+: truncated: the|\d bytes at|has skip)/,
        );
      }
    }
  });

  it.each([
    ["nothing at all", [], "FORMAT a.zst: is not compressed with Zstandard"],
    ["something else", [1, 2, 3, 4, 5], "FORMAT a.zst: is not compressed with Zstandard"],
    [
      "something else behind a frame",
      [...MAGIC, 0x20, 1, ...LAST_RAW_BYTE, 1, 2, 3, 4, 5],
      "DAMAGED a.zst: 4 bytes at offset 10 begin no Zstandard frame",
    ],
    [
      "a large window",
      [...MAGIC, 0, 18 << 3],
      `LIMIT ${FRAME}: its window is 268435456 bytes, the limit 134217728`,
    ],
    [
      "a dictionary",
      [...MAGIC, 0x22, 0x39, 0x30, 1],
      `FORMAT ${FRAME}: it needs the dictionary 12345; dictionaries are not supported`,
    ],
    [
      "another checksum",
      [...MAGIC, 0x24, 1, ...LAST_RAW_BYTE, 1, 2, 3, 4],
      `DAMAGED ${FRAME}: its content has the checksum e858bbb7, the frame says 04030201`,
    ],
    [
      "too little content",
      [...MAGIC, 0x20, 2, ...LAST_RAW_BYTE],
      `DAMAGED ${FRAME}: its content has 1 bytes, its head says 2`,
    ],
    [
      "too much content",
      [...MAGIC, 0x20, 1, 8, 0, 0, 7, ...LAST_RAW_BYTE],
      `DAMAGED ${FRAME}: its content has 2 or more bytes, its head says 1`,
    ],
    [
      "a large block",
      [...MAGIC, 0x20, 1, 0x11, 0, 0, 7, 7],
      `DAMAGED ${FRAME}: block 1 at byte 6: it has 2 bytes, the limit is 1`,
    ],
    [
      "a block of no kind",
      [...MAGIC, 0x20, 1, 0x0f, 0, 0, 7],
      `DAMAGED ${FRAME}: block 1 at byte 6: it is of a reserved kind`,
    ],
    [
      "a broken block",
      [...MAGIC, 0x20, 9, 0x1d, 0, 0, 8, 7, 5],
      `DAMAGED ${FRAME}: block 1 at byte 6: the lengths in it do not fit`,
    ],
    [
      "skippable frames alone",
      [...skippableFrame(1), ...skippableFrame(0)],
      "FORMAT a.zst: has skippable Zstandard frames and no content",
    ],
    [
      "half a skippable frame",
      [...skippableFrame(100).subarray(0, 60)],
      `DAMAGED ${FRAME}: truncated: the input ends after 60 bytes`,
    ],
  ])("refuses %s in one line", async (_, bytes, message) => {
    expect(await refusal(Uint8Array.from(bytes))).toBe(message);
  });

  it("closes its source when nobody wants more", async () => {
    let isClosed = false;
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield readZstdVector("zeros");
      } finally {
        isClosed = true;
      }
    }
    for await (const part of zstd.read(source(), { name: "a.zst" })) {
      expect(part.every((byte) => byte === 0)).toBe(true);
      break;
    }
    expect(isClosed).toBe(true);
  });

  it("stops when it is aborted", async () => {
    const signal = AbortSignal.abort();
    const reading = zstd.read(
      piecesOf(readZstdVector("zeros"), () => 9),
      { name: "a.zst", signal },
    );
    await expect(reading.next()).rejects.toThrow("aborted");
  });
});

/** Where a stream may end: behind each of its skippable and other frames. */
function soundEnds(frames: Uint8Array): number[] {
  const ends: number[] = [];
  for (let at = 0; at + 4 <= frames.length; at++) {
    const word = new DataView(frames.buffer, frames.byteOffset).getUint32(at, true);
    if (word === 0x184d2a53 || word === 0xfd2fb528) ends.push(at);
  }
  return ends;
}
