// The shadow of a guest against a plain copy: what it calls changed leads from one to the other.
import { describe, expect, it } from "vitest";
import type { EpochChanges } from "../../src/replication/changes.ts";
import { Shadow } from "../../src/replication/shadow.ts";
import { MadeGuest } from "../support/madeguest.ts";
import { randomSeed, seededRandom } from "../support/random.ts";
import { checksumOfMemory } from "../support/replica.ts";

/** Copies the blocks that have changed to `memory`, which is what they say was before. */
function follow(shadow: Shadow, memory: Uint8Array, changes = shadow.takeChanges()): EpochChanges {
  for (let frame = 0; frame < shadow.frameCount; frame++) {
    const page = memory.subarray(frame * 4096, (frame + 1) * 4096);
    const words = changes.masks.subarray(2 * frame, 2 * frame + 2);
    const isKept = !changes.isFull && (words[0] | words[1]) !== 0;
    const old = changes.oldPage(frame);
    expect(old === undefined ? !isKept : isKept && Buffer.compare(old, page) === 0).toBe(true);
    for (let block = 0; block < 64; block++) {
      if (((words[block >> 5] >>> (block & 31)) & 1) === 0) continue;
      const at = 64 * block;
      page.set(shadow.page(frame).subarray(at, at + 64), at);
    }
  }
  return changes;
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
    expect(shadow.takeChanges().count()).toEqual({ pageCount: 0, blockCount: 0 });
  });

  it("does not forget what was taken and given back, nor the epochs behind it", async () => {
    const guest = new MadeGuest(seededRandom(randomSeed("shadow, lost")), [100]);
    const shadow = new Shadow();
    const copy = new Uint8Array(guest.memory.length);
    await guest.epoch(shadow);
    follow(shadow, copy);
    await guest.epoch(shadow);
    const lost = shadow.takeChanges();
    await guest.epoch(shadow);
    shadow.restore(lost);
    follow(shadow, copy);
    expect(Buffer.compare(copy, guest.memory)).toBe(0);
  });

  it("can be told as a whole to who has nothing", async () => {
    const guest = new MadeGuest(seededRandom(randomSeed("shadow, whole")), [100]);
    const shadow = new Shadow();
    await guest.epoch(shadow);
    shadow.takeChanges();
    await guest.epoch(shadow);
    shadow.restoreAll();
    const copy = new Uint8Array(guest.memory.length);
    follow(shadow, copy);
    expect(Buffer.compare(copy, guest.memory)).toBe(0);
  });

  it("takes pages into a room that was asked for before the guest was known", () => {
    const { identity } = new MadeGuest(seededRandom(1), [100]);
    const shadow = new Shadow();
    const room = shadow.room();
    shadow.begin(identity);
    room.pages.fill(7, 0, 4096);
    room.frames[0] = 99;
    shadow.take({ room, pageCount: 1, zeros: [] });
    expect(shadow.page(99)).toEqual(new Uint8Array(4096).fill(7));
    expect(shadow.page(98)).toEqual(new Uint8Array(4096));
  });
});
