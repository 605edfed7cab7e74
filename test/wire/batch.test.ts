// The frame around everything: every flipped bit of header and head is noticed, and a deflated head
// is neither longer nor shorter than it says.
import { deflateRawSync } from "node:zlib";
import { beforeAll, describe, expect, it } from "vitest";
import {
  BATCH_HEADER_BYTES,
  BatchType,
  batchName,
  decodeBatchHeader,
  decodeHead,
  encodeBatch,
} from "../../src/wire/batch.ts";
import { type Checksum, loadChecksum } from "../../src/wire/checksum.ts";
import { seededRandom } from "../support/random.ts";
import { expectTotal } from "../support/totality.ts";

let checksum: Checksum;
beforeAll(async () => {
  checksum = await loadChecksum();
});

function decode(bytes: Uint8Array): Uint8Array {
  const header = decodeBatchHeader(bytes, 0);
  const end = BATCH_HEADER_BYTES + header.headBytes;
  return decodeHead(header, bytes, bytes.subarray(BATCH_HEADER_BYTES, end), checksum, undefined);
}

/** A DIRECTORY batch with this stored head and a right checksum. */
function directoryWith(stored: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(BATCH_HEADER_BYTES + stored.length);
  bytes.set(encodeBatch(BatchType.DIRECTORY, 0, new Uint8Array(0), 0, checksum).subarray(0, 64));
  const view = new DataView(bytes.buffer);
  view.setUint32(12, stored.length, true);
  bytes.set(stored, BATCH_HEADER_BYTES);
  view.setBigUint64(56, checksum(bytes.subarray(0, 56), stored), true);
  return bytes;
}

function deflated(claimed: number, content: Uint8Array): Uint8Array {
  const packed = deflateRawSync(content);
  const stored = Buffer.alloc(4 + packed.length);
  stored.writeUInt32LE(claimed);
  packed.copy(stored, 4);
  return stored;
}

describe("batch", () => {
  it.each(Object.entries(BatchType))("keeps the head of %s", (name, type) => {
    for (const length of [0, 1, 100, 70_000]) {
      const head = seededRandom(length + 1).bytes(length);
      const bytes = encodeBatch(type, 7, head, type === BatchType.PAGES ? 5 : 0, checksum);
      expect(Buffer.compare(decode(bytes), head)).toBe(0);
      const header = decodeBatchHeader(bytes, 0);
      expect(batchName(header)).toBe(`${name} batch 7`);
      expect(header.bodyBytes).toBe(type === BatchType.PAGES ? 5 : 0);
    }
  });

  it("notices every flipped bit", () => {
    const head = seededRandom(5).bytes(50);
    for (const type of [BatchType.PAGES, BatchType.LEAF]) {
      const bytes = encodeBatch(type, 7, head, 0, checksum);
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const flipped = bytes.slice();
        flipped[bit >> 3] ^= 1 << (bit & 7);
        expect(() => decode(flipped), `bit ${bit}`).toThrow();
      }
    }
  });

  it("takes a deflated head only at its exact length", () => {
    const content = new Uint8Array(1000).fill(9);
    expect(Buffer.compare(decode(directoryWith(deflated(1000, content))), content)).toBe(0);
    for (const claimed of [0, 999, 1001, 4 << 20, (4 << 20) + 1, 0xffff_ffff]) {
      expect(() => decode(directoryWith(deflated(claimed, content)))).toThrow(/inflate/);
    }
    const bomb = deflated(4 << 20, new Uint8Array((4 << 20) + 1));
    expect(() => decode(directoryWith(bomb))).toThrow("does not inflate to 4194304 bytes");
    expect(() => decode(directoryWith(new Uint8Array([1, 2, 3])))).toThrow("inflates to");
  });

  it("is total", () => {
    const good = encodeBatch(BatchType.LEAF, 7, new Uint8Array(200).fill(1), 0, checksum);
    expectTotal(good, (bytes) => {
      if (bytes.length >= BATCH_HEADER_BYTES) decode(bytes);
    });
    // With a right checksum, so that what lies behind it is reached.
    expectTotal(good.slice(BATCH_HEADER_BYTES), (stored) => decode(directoryWith(stored)));
  });
});
