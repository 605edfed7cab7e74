// Patches: what goes in comes out, twice is as good as once, and no bytes are trusted.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PAGE_BYTES } from "../../src/core/page.ts";
import { applyPage, MAX_PATCH_PAGES, openPatch, PatchWriter } from "../../src/replication/patch.ts";
import { randomSeed, seededRandom } from "../support/random.ts";
import { patchesBetween } from "../support/replica.ts";

const FRAMES = 12;

/** Two memories that differ in any bytes of any pages. */
const changes = fc.array(
  fc.record({
    at: fc.integer({ min: 0, max: FRAMES * PAGE_BYTES - 1 }),
    length: fc.integer({ min: 1, max: 3 * PAGE_BYTES }),
    value: fc.integer({ min: 0, max: 255 }),
  }),
  { maxLength: 12 },
);

function memories(edits: { at: number; length: number; value: number }[]) {
  const before = seededRandom(1).bytes(FRAMES * PAGE_BYTES);
  const after = before.slice();
  for (const { at, length, value } of edits) after.fill(value, at, at + length);
  return { before, after };
}

function applyAll(patches: Uint8Array[], memory: Uint8Array): void {
  for (const bytes of patches) {
    const patch = openPatch(bytes, FRAMES, "a patch");
    for (let i = 0; i < patch.pageCount; i++) {
      applyPage(patch, i, memory, patch.frames[i] * PAGE_BYTES);
    }
  }
}

describe("a patch", () => {
  it("makes one memory of another, over any part of itself", () => {
    const cuts = fc.array(fc.boolean(), { minLength: FRAMES, maxLength: FRAMES });
    const property = fc.property(changes, cuts, fc.integer({ min: 1, max: 5 }), (edits, cut, n) => {
      const { before, after } = memories(edits);
      const patches = patchesBetween(before, after, n);
      // Half applied: some frames are new already, and one is new in its first half.
      const memory = before.slice();
      cut.forEach((isNew, frame) => {
        const from = frame * PAGE_BYTES;
        const to = from + (isNew ? PAGE_BYTES : PAGE_BYTES / 2);
        memory.set(after.subarray(from, to), from);
      });
      applyAll(patches, memory);
      expect(Buffer.compare(memory, after)).toBe(0);
      applyAll(patches, memory);
      expect(Buffer.compare(memory, after)).toBe(0);
    });
    fc.assert(property, { numRuns: 200 });
  });

  it("has the bytes that are drawn", () => {
    const page = new Uint8Array(PAGE_BYTES).map((_, i) => i >> 6);
    const writer = new PatchWriter();
    writer.add(3, 0b101, 0x8000_0000, page);
    writer.add(0x0102_0304, 0, 1, page);
    const bytes = Buffer.from(writer.take());
    expect(bytes.subarray(0, 32).toString("hex")).toBe(
      `0200000004000000${"0500000000000080"}${"0000000001000000"}0300000004030201`,
    );
    expect([0, 1, 2, 3].map((block) => bytes[32 + 64 * block])).toEqual([0, 2, 63, 32]);
    expect(bytes.length).toBe(32 + 4 * 64);
    expect(writer.take().length).toBe(8);
  });

  it("takes so many whole pages", () => {
    const page = seededRandom(2).bytes(PAGE_BYTES);
    const writer = new PatchWriter();
    while (!writer.isFull) writer.add(writer.pageCount, 0xffff_ffff, 0xffff_ffff, page);
    const patch = openPatch(writer.take(), MAX_PATCH_PAGES, "a patch");
    expect([patch.pageCount, patch.blockCount]).toEqual([1024, 65536]);
    const found = new Uint8Array(PAGE_BYTES);
    applyPage(patch, 1023, found);
    expect(Buffer.compare(found, page)).toBe(0);
  });
});

describe("what is no patch", () => {
  const word = (at: number, value: number) => (bytes: Buffer) => {
    bytes.writeUInt32LE(value, at);
    return bytes;
  };
  const good = () => {
    const { before, after } = memories([{ at: 5000, length: 9000, value: 3 }]);
    return Buffer.from(patchesBetween(before, after)[0]);
  };

  it.each<[string, (bytes: Buffer) => Buffer, RegExp]>([
    ["nothing", (bytes) => bytes.subarray(0, 7), /a patch: at byte 0: 7 bytes are no patch/],
    ["cut off", (bytes) => bytes.subarray(0, -1), /at byte 4: \d+ bytes, not \d+$/],
    ["too many pages", word(0, 1025), /at byte 0: 1025 pages, at most 1024/],
    ["more pages than there are", word(0, 4), /bytes, not/],
    ["no blocks", (bytes) => bytes.fill(0, 8, 16), /at byte 8: a page without blocks/],
    [
      "another block",
      (bytes) => bytes.fill(bytes[15] ^ 1, 15, 16),
      /at byte 4: \d+ blocks, the masks/,
    ],
    ["a frame outside", word(40, 12), /at byte 40: frame 12 of 12/],
    ["a frame again", word(36, 1), /at byte 36: frame 1 after 1/],
  ])("is refused: %s", (_, spoil, message) => {
    expect(() => openPatch(good(), FRAMES, "a patch")).not.toThrow();
    expect(() => openPatch(spoil(good()), FRAMES, "a patch")).toThrow(message);
  });

  it("is refused or harmless, whatever the bytes", () => {
    const random = seededRandom(randomSeed("patch"));
    const memory = new Uint8Array(FRAMES * PAGE_BYTES);
    for (let round = 0; round < 3000; round++) {
      const bytes = good();
      const spoilt = bytes.subarray(0, random.int(3) === 0 ? random.int(bytes.length) : undefined);
      for (let i = random.int(4); i >= 0; i--) {
        if (spoilt.length > 0) spoilt[random.int(Math.min(48, spoilt.length))] = random.int(256);
      }
      try {
        applyAll([spoilt], memory);
      } catch (error) {
        expect(error).toMatchObject({ code: "DAMAGED" });
      }
    }
  });
});
