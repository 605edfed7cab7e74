// Snappy's framing format: chunks of every kind in pieces of any size, and one clear line for
// everything that is refused.
import { describe, expect, it } from "vitest";
import { PagefoldError } from "../../../src/core/errors.ts";
import { PieceReader } from "../../../src/core/piecereader.ts";
import { isSnappyStream, SnappyReader } from "../../../src/image/containers/snappyframes.ts";
import { compileKernels } from "../../../src/kernels/load.ts";
import { SNAPPY_RELEASES, SnappyPages } from "../../../src/kernels/snappy.ts";
import { memoryLike } from "../../support/lz4-inputs.ts";
import { piecesOf } from "../../support/pieces.ts";
import { randomSeed, seededRandom } from "../../support/random.ts";
import {
  blockChunk,
  plainChunk,
  SNAPPY_BEGIN,
  snappyChecksum,
  snappyChunk,
} from "../../support/snappy-stream.ts";

const seed = randomSeed("snappy frames");
const snappy = new SnappyReader();
const FEW = Uint8Array.of(1, 2, 3);
const ROUNDS = 2000;

async function readAll(bytes: Uint8Array, next: () => number = () => 65_536): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of snappy.read(piecesOf(bytes, next), { name: "a.sz" })) {
    expect(part.length).toBeLessThanOrEqual(65_536);
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

/** A stream of 64 KiB chunks of `content`, blocks and plain ones in turn. */
function streamOf(content: Uint8Array): Uint8Array {
  const pages = new SnappyPages(compileKernels());
  const chunks: Uint8Array[] = [SNAPPY_BEGIN];
  for (let at = 0; at < content.length; at += 65_536) {
    const part = content.subarray(at, at + 65_536);
    const { bytes } = pages.compress(part, part.length, SNAPPY_RELEASES["1.1.9"]);
    chunks.push(chunks.length % 3 === 2 ? plainChunk(part) : blockChunk(part, bytes));
  }
  return Buffer.concat(chunks);
}

describe("snappy stream", () => {
  it("is read in pieces of any size", async () => {
    const content = memoryLike(300_000, seed);
    const stream = streamOf(content);
    expect(isSnappyStream(stream)).toBe(true);
    expect((await readAll(stream)).equals(content)).toBe(true);
    const random = seededRandom(seed);
    const sizes = () => random.int(1 << random.int(14));
    expect((await readAll(stream, sizes)).equals(content)).toBe(true);
    const short = streamOf(content.subarray(0, 3000));
    expect((await readAll(short, () => 1)).equals(content.subarray(0, 3000))).toBe(true);
  });

  it("may begin again, be padded, hold what is skipped, and hold nothing", async () => {
    const chunks = [
      SNAPPY_BEGIN,
      snappyChunk(0xfe, new Uint8Array(70_000)),
      blockChunk(FEW),
      snappyChunk(0x80),
      snappyChunk(0xfd, [1]),
      plainChunk(new Uint8Array(0)),
      blockChunk(new Uint8Array(0)),
      SNAPPY_BEGIN,
      plainChunk(FEW),
    ];
    expect([...(await readAll(Buffer.concat(chunks)))]).toEqual([...FEW, ...FEW]);
    expect((await readAll(SNAPPY_BEGIN)).length).toBe(0);
  });

  it("is read as far as is wanted by who knows its end", async () => {
    const stream = Buffer.concat([streamOf(FEW), Uint8Array.of(9, 9)]);
    const pieces = new PieceReader(
      piecesOf(stream, () => 5),
      undefined,
    );
    expect([...((await snappy.open(pieces, "a").next()) ?? [])]).toEqual([...FEW]);
    expect([...(await pieces.take(9))]).toEqual([9, 9]);
  });

  const at10 = "DAMAGED a.sz: snappy chunk at byte 10:";
  it.each([
    { what: "nothing", bytes: [], says: "FORMAT a.sz: no snappy stream begins" },
    { what: "something else", bytes: [0, 1, 2, 3], says: "FORMAT a.sz: no snappy stream begins" },
    {
      what: "another word",
      bytes: snappyChunk(0xff, [1, 2, 3, 4, 5, 6]),
      says: "FORMAT a.sz: no snappy stream begins",
    },
    {
      what: "half a beginning",
      bytes: SNAPPY_BEGIN.subarray(0, 7),
      says: "DAMAGED a.sz: snappy chunk at byte 0: truncated: the input ends after 7 bytes",
    },
    {
      what: "another word later",
      bytes: [...SNAPPY_BEGIN, ...snappyChunk(0xff, [1, 2, 3, 4, 5, 6])],
      says: `${at10} it does not say sNaPpY`,
    },
    {
      what: "a longer word later",
      bytes: [...SNAPPY_BEGIN, ...snappyChunk(0xff, [1, 2, 3, 4, 5, 6, 7])],
      says: `${at10} it begins a stream in 7 bytes`,
    },
    {
      what: "half a head",
      bytes: [...SNAPPY_BEGIN, 0, 1],
      says: `${at10} truncated: the input ends after 12 bytes`,
    },
    {
      what: "half a chunk",
      bytes: [...SNAPPY_BEGIN, ...blockChunk(FEW).subarray(0, 9)],
      says: `${at10} truncated: the input ends after 19 bytes`,
    },
    {
      what: "half of what is skipped",
      bytes: [...SNAPPY_BEGIN, 0x80, 3, 0, 0, 1],
      says: `${at10} truncated: the input ends after 15 bytes`,
    },
    {
      what: "a reserved kind",
      bytes: [...SNAPPY_BEGIN, ...snappyChunk(0x7f)],
      says: `${at10} it is of the reserved kind 0x7f`,
    },
    {
      what: "no room for a checksum",
      bytes: [...SNAPPY_BEGIN, ...snappyChunk(0, [1, 2, 3])],
      says: `${at10} it has 3 bytes, not 4 to 131092`,
    },
    {
      what: "too much at once",
      bytes: [...SNAPPY_BEGIN, 1, 5, 0, 1],
      says: `${at10} it has 65541 bytes, not 4 to 65540`,
    },
    {
      what: "another checksum",
      bytes: [...SNAPPY_BEGIN, ...snappyChunk(1, snappyChecksum(FEW), [1, 2, 4])],
      says: `${at10} its content has the checksum`,
    },
    {
      what: "a broken block",
      bytes: [...SNAPPY_BEGIN, ...blockChunk(FEW, Uint8Array.of(3, 8, 1))],
      says: `${at10} it ends inside of an element`,
    },
    {
      what: "a block of more than 64 KiB",
      bytes: [...SNAPPY_BEGIN, ...blockChunk(FEW, Uint8Array.of(0x81, 0x80, 4, 0))],
      says: `${at10} it says that it holds more than 65536 bytes`,
    },
    {
      what: "a copy from nowhere",
      bytes: [...SNAPPY_BEGIN, ...blockChunk(FEW, Uint8Array.of(4, 1, 1))],
      says: `${at10} a copy reaches outside of the content`,
    },
    {
      what: "a block that lies",
      bytes: [...SNAPPY_BEGIN, ...blockChunk(FEW, Uint8Array.of(4, 0, 1))],
      says: `${at10} its content has another size than it says`,
    },
  ])("refuses $what", async ({ bytes, says }) => {
    expect(await refusal(Uint8Array.from(bytes))).toContain(says);
  });

  it("gives one clear line for whatever was changed in it", async () => {
    const random = seededRandom(seed);
    const content = memoryLike(700, seed);
    const sound = Buffer.concat([streamOf(content), snappyChunk(0xfe, [1, 2]), plainChunk(FEW)]);
    for (let round = 0; round < ROUNDS; round++) {
      const bytes = Uint8Array.from(
        sound.subarray(0, sound.length - random.int(3) * random.int(99)),
      );
      for (let changes = random.int(4); changes > 0; changes--) {
        bytes[random.int(bytes.length)] = [0, 1, 0xff, random.int(256)][random.int(4)];
      }
      try {
        await readAll(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(PagefoldError);
        expect((error as PagefoldError).message).toMatch(/^a\.sz: [^\n]+$/);
        expect(["FORMAT", "DAMAGED"]).toContain((error as PagefoldError).code);
      }
    }
  });
});
