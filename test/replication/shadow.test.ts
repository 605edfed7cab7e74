// The shadow of a guest against a plain copy: what it calls changed leads from one to the other.
import { describe, expect, it } from "vitest";
import { applyPage, openPatch } from "../../src/replication/patch.ts";
import { countBlocks, Shadow, wholePages } from "../../src/replication/shadow.ts";
import { MadeGuest } from "../support/madeguest.ts";
import { randomSeed, seededRandom } from "../support/random.ts";
import { checksumOfMemory } from "../support/replica.ts";

const PATCH_BYTES = 64 << 10;

/** Applies all patches of what has changed to `memory`. */
function follow(shadow: Shadow, memory: Uint8Array, changed = shadow.takeChanged()): void {
  for (const bytes of shadow.patches(changed, PATCH_BYTES)) {
    expect(bytes.length).toBeLessThanOrEqual(PATCH_BYTES);
    const patch = openPatch(bytes, shadow.frameCount, "a patch");
    patch.frames.forEach((frame, i) => {
      applyPage(patch, i, memory, frame * 4096);
    });
  }
}

describe("a shadow", () => {
  it("says what has changed, and its checksum is that of the memory", async () => {
    const guest = new MadeGuest(seededRandom(randomSeed("shadow")), [150, 3]);
    const shadow = new Shadow();
    const copy = new Uint8Array(guest.memory.length);
    for (let epoch = 0; epoch < 8; epoch++) {
      await guest.epoch(shadow);
      follow(shadow, copy);
      expect(Buffer.compare(copy, guest.memory)).toBe(0);
      expect(shadow.checksum()).toEqual(checksumOfMemory(guest.memory));
    }
    expect(countBlocks(shadow.takeChanged())).toEqual({ pageCount: 0, blockCount: 0 });
  });

  it("does not forget what was taken and given back, nor the epochs behind it", async () => {
    const guest = new MadeGuest(seededRandom(randomSeed("shadow, lost")), [100]);
    const shadow = new Shadow();
    const copy = new Uint8Array(guest.memory.length);
    await guest.epoch(shadow);
    follow(shadow, copy);
    await guest.epoch(shadow);
    const lost = shadow.takeChanged();
    await guest.epoch(shadow);
    shadow.restore(lost);
    follow(shadow, copy);
    expect(Buffer.compare(copy, guest.memory)).toBe(0);
  });

  it("can be told as a whole to who has nothing", async () => {
    const guest = new MadeGuest(seededRandom(randomSeed("shadow, whole")), [100]);
    const shadow = new Shadow();
    await guest.epoch(shadow);
    shadow.takeChanged();
    await guest.epoch(shadow);
    shadow.restoreAll();
    const copy = new Uint8Array(guest.memory.length);
    follow(shadow, copy);
    expect(Buffer.compare(copy, guest.memory)).toBe(0);
  });

  it("makes whole pages of blocks", () => {
    const changed = Uint32Array.of(0, 0, 1, 0, 0, 6);
    expect(countBlocks(changed)).toEqual({ pageCount: 2, blockCount: 3 });
    wholePages(changed);
    expect(countBlocks(changed)).toEqual({ pageCount: 2, blockCount: 128 });
  });
});
