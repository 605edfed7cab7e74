// The tree of fingerprints that changes a little at a time is the checksum of the whole memory.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PAGE_BYTES } from "../../src/core/page.ts";
import { FrameSums, PageHasher, SumTree } from "../../src/replication/storesums.ts";
import { seededRandom } from "../support/random.ts";
import { checksumOfMemory } from "../support/replica.ts";

const hasher = new PageHasher();
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

describe("a tree of fingerprints", () => {
  it.each([1, 2, 255, 256, 257, 512, 700])("of %i frames is the image's checksum", (frames) => {
    const memory = seededRandom(frames).bytes(frames * PAGE_BYTES);
    const tree = new SumTree(hasher, frames);
    expect(hex(tree.checksum())).toBe(hex(checksumOfMemory(new Uint8Array(memory.length))));
    tree.set(0, hasher.fingerprints(memory));
    expect(hex(tree.checksum())).toBe(hex(checksumOfMemory(memory)));
  });

  it("of three levels is it too", () => {
    const frames = 65_537;
    const memory = new Uint8Array(frames * PAGE_BYTES);
    const tree = new SumTree(hasher, frames);
    for (const frame of [0, 300, 65_535, 65_536]) {
      memory.fill(frame % 251, frame * PAGE_BYTES, frame * PAGE_BYTES + 100);
      const page = memory.subarray(frame * PAGE_BYTES, (frame + 1) * PAGE_BYTES);
      tree.set(frame, hasher.fingerprints(page));
      tree.checksum();
    }
    expect(hex(tree.checksum())).toBe(hex(checksumOfMemory(memory)));
  });

  it("follows changes, and goes back", () => {
    const frames = 600;
    const step = fc.uniqueArray(fc.integer({ min: 0, max: frames - 1 }), { maxLength: 40 });
    const property = fc.property(fc.array(step, { maxLength: 4 }), (steps) => {
      const random = seededRandom(steps.length);
      const memory = random.bytes(frames * PAGE_BYTES);
      const tree = new SumTree(hasher, frames);
      tree.set(0, hasher.fingerprints(memory));
      for (const changed of steps) {
        const before = hex(tree.checksum());
        const sums = new FrameSums();
        for (const frame of changed) {
          const page = memory.subarray(frame * PAGE_BYTES, (frame + 1) * PAGE_BYTES);
          page.set(random.bytes(9));
          sums.add(frame, hasher.fingerprints(page));
        }
        tree.exchange(sums);
        expect(hex(tree.checksum())).toBe(hex(checksumOfMemory(memory)));
        tree.exchange(sums);
        expect(hex(tree.checksum())).toBe(before);
        tree.exchange(sums);
      }
    });
    fc.assert(property, { numRuns: 15 });
  });

  it("keeps any number of changes", () => {
    const sums = new FrameSums();
    for (let frame = 0; frame < 5000; frame++) {
      sums.add(frame, new Uint8Array(16).fill(frame % 256));
    }
    const tree = new SumTree(hasher, 5000);
    tree.exchange(sums);
    expect(tree.at(4999)).toEqual(new Uint8Array(16).fill(4999 % 256));
  });
});
