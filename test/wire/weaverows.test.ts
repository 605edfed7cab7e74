// Rows of a dump's table: what is encoded is decoded, and mutated bytes give rows or one error.
import { expect, it } from "vitest";
import { ByteReader, ByteWriter } from "../../src/core/bytes.ts";
import { PagefoldError } from "../../src/core/errors.ts";
import {
  decodeRows,
  encodeRows,
  MAX_WEAVE_ROWS,
  ROW_BYTES,
  type WeaveRows,
} from "../../src/wire/weaverows.ts";
import { randomSeed, type SeededRandom, seededRandom } from "../support/random.ts";

const SHARED = { offset: 2 ** 40, size: 4096, flags: 0 };

function someRows(random: SeededRandom): WeaveRows {
  const count = 1 + random.int(MAX_WEAVE_ROWS);
  const kinds = Array.from({ length: count }, () => random.int(3));
  return {
    pageBytes: 4096,
    flags: 1 + random.int(2 ** 31),
    offset: random.int(2 ** 31) * 2 ** 16,
    shared: SHARED,
    sizes: kinds.map((kind) => [0, 4096, 1 + random.int(4095)][kind]),
    packed: kinds.map((kind) => kind === 2),
  };
}

function encoded(rows: WeaveRows): Uint8Array {
  const writer = new ByteWriter();
  encodeRows(writer, rows);
  return writer.take();
}

it("rows: the offset of data is the end of the data before", () => {
  const random = seededRandom(randomSeed("rows"));
  for (let round = 0; round < 50; round++) {
    const rows = someRows(random);
    const reader = new ByteReader(encoded(rows), "rows");
    const bytes = Buffer.from(decodeRows(reader, rows.sizes.length));
    reader.end();
    let { offset } = rows;
    rows.sizes.forEach((size, i) => {
      const at = i * ROW_BYTES;
      const expected = size === 0 ? SHARED.offset : offset;
      expect(bytes.readBigUInt64LE(at)).toBe(BigInt(expected));
      expect(bytes.readUInt32LE(at + 8)).toBe(size === 0 ? SHARED.size : size);
      expect(bytes.readUInt32LE(at + 12)).toBe(rows.packed[i] ? rows.flags : 0);
      expect(bytes.readBigUInt64LE(at + 16)).toBe(0n);
      offset += size;
    });
  }
});

it("rows: whatever the bytes are, rows or one error", () => {
  const random = seededRandom(randomSeed("mutated rows"));
  for (let round = 0; round < 2000; round++) {
    const rows = someRows(random);
    const bytes = Uint8Array.from(encoded(rows)).subarray(0, 1 + random.int(600));
    for (let i = random.int(4); i >= 0; i--) bytes[random.int(bytes.length)] = random.int(256);
    const count = rows.sizes.length + random.int(2);
    try {
      expect(decodeRows(new ByteReader(bytes, "rows"), count)).toHaveLength(count * ROW_BYTES);
    } catch (error) {
      expect(error).toBeInstanceOf(PagefoldError);
    }
  }
});
