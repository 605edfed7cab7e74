// Superblocks and footers: round trips, every flipped bit, other versions, mutations.
import { beforeAll, describe, expect, it } from "vitest";
import { type Checksum, loadChecksum } from "../../src/wire/checksum.ts";
import {
  decodeFooter,
  decodeSuperblock,
  encodeFooter,
  encodeSuperblock,
  looksLikeStream,
  UNCOMMITTED,
} from "../../src/wire/superblock.ts";
import { expectTotal } from "../support/totality.ts";

const state = {
  generation: 3,
  committedLength: 90_000,
  directoryOffset: 80_000,
  directoryLength: 5000,
  indexOffset: 70_000,
};
let checksum: Checksum;
beforeAll(async () => {
  checksum = await loadChecksum();
});

/** A superblock with `change` applied and a right checksum. */
function changed(change: (view: DataView) => void): Uint8Array {
  const block = encodeSuperblock(state, checksum);
  const view = new DataView(block.buffer);
  change(view);
  view.setBigUint64(4088, checksum(block.subarray(0, 4088)), true);
  return block;
}

describe("superblock", () => {
  it("reads as it was written", () => {
    for (const value of [state, UNCOMMITTED]) {
      const block = encodeSuperblock(value, checksum);
      expect(block.length).toBe(4096);
      expect(looksLikeStream(block)).toBe(true);
      expect(decodeSuperblock(block, checksum)).toEqual(value);
      expect(decodeFooter(encodeFooter(value), "FOOTER")).toEqual(value);
    }
  });

  it("is nothing once a bit is flipped", () => {
    const block = encodeSuperblock(state, checksum);
    for (let at = 0; at < 4096; at++) {
      block[at] ^= 1 << (at % 8);
      expect(decodeSuperblock(block, checksum)).toBeUndefined();
      block[at] ^= 1 << (at % 8);
    }
    expect(decodeSuperblock(block.subarray(0, 4095), checksum)).toBeUndefined();
    expect(decodeSuperblock(new Uint8Array(0), checksum)).toBeUndefined();
  });

  it("refuses other versions, page sizes and reserved bytes with FORMAT", () => {
    const cases: ((view: DataView) => void)[] = [
      (view) => view.setUint16(8, 2, true),
      (view) => view.setUint16(10, 1, true),
      (view) => view.setUint32(12, 8192, true),
      (view) => view.setUint8(56, 2),
      (view) => view.setUint8(57, 1),
      (view) => view.setUint8(4087, 1),
    ];
    for (const change of cases) {
      const block = changed(change);
      expect(() => decodeSuperblock(block, checksum)).toThrow(
        expect.objectContaining({ code: "FORMAT" }),
      );
    }
  });

  it("refuses an index outside of the committed bytes", () => {
    for (const wrong of [{ directoryLength: 10_001 }, { indexOffset: 80_001 }]) {
      const footer = encodeFooter({ ...state, ...wrong });
      expect(() => decodeFooter(footer, "FOOTER")).toThrow("outside the committed length");
    }
  });

  it("is total", () => {
    const fields = encodeSuperblock(state, checksum).slice(0, 64);
    expectTotal(fields, (bytes) => {
      const block = new Uint8Array(4096);
      block.set(bytes.subarray(0, 4088));
      const sum = checksum(block.subarray(0, 4088));
      new DataView(block.buffer).setBigUint64(4088, sum, true);
      decodeSuperblock(block, checksum);
    });
    expectTotal(encodeFooter(state), (bytes) => decodeFooter(bytes, "FOOTER"));
  });
});
