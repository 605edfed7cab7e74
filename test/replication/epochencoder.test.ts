// What an epoch is encoded to leads a backup from one memory to the next, with every option, and
// takes no more than what is new.
import { describe, expect, it } from "vitest";
import type { EpochChanges } from "../../src/replication/changes.ts";
import { EpochDecoder } from "../../src/replication/epochdecoder.ts";
import { EpochEncoder, type EpochEncoding } from "../../src/replication/epochencoder.ts";
import { applyPage, openPatch } from "../../src/replication/patch.ts";
import { Shadow } from "../../src/replication/shadow.ts";
import { MadeGuest } from "../support/madeguest.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const decoder = new EpochDecoder();

/** Brings `memory` to the shadow's; returns the bytes that it took. */
async function follow(
  encoder: EpochEncoder,
  shadow: Shadow,
  changes: EpochChanges,
  memory: Uint8Array,
): Promise<number> {
  const { frameCount, isFull } = changes;
  const before = isFull ? memory : memory.slice();
  const read = async (frames: Uint32Array) =>
    Buffer.concat([...frames].map((frame) => before.subarray(frame * 4096, (frame + 1) * 4096)));
  let byteLength = 0;
  for (const part of encoder.memory(shadow, changes)) {
    byteLength += part.body.length;
    for (const bytes of await decoder.memory(part, { frameCount, isFull, read }, "a part")) {
      const patch = openPatch(bytes, frameCount, "a patch");
      patch.frames.forEach((frame, i) => {
        applyPage(patch, i, memory, frame * 4096);
      });
    }
  }
  return byteLength;
}

const all: EpochEncoding[] = [
  {},
  { granularity: 128 },
  { granularity: 256, delta: false },
  { sharing: false },
  { granularity: 4096, delta: false, sharing: false },
  { compression: false },
];

describe("the encoder of epochs", () => {
  it.each(all)("leads from memory to memory: %o", async (encoding) => {
    const random = seededRandom(randomSeed(`epochs ${JSON.stringify(encoding)}`));
    const guest = new MadeGuest(random, [500, 40]);
    const [shadow, encoder] = [new Shadow(), new EpochEncoder(encoding)];
    const memory = new Uint8Array(guest.memory.length);
    for (let epoch = 0; epoch < 6; epoch++) {
      guest.work(epoch === 3 ? 1500 : 30);
      const [to, from] = [random.int(400), random.int(400)];
      guest.memory.copyWithin(to * 4096 + 13, from * 4096, (from + 4) * 4096);
      await guest.epoch(shadow);
      if (epoch === 4) {
        const lost = shadow.takeChanges();
        await guest.epoch(shadow);
        shadow.restore(lost);
      }
      if (epoch === 5) shadow.restoreAll();
      const changes = shadow.takeChanges();
      if (changes.isFull) memory.fill(0);
      await follow(encoder, shadow, changes, memory);
      expect(Buffer.compare(memory, guest.memory)).toBe(0);
    }
  });

  it("sends once what is there already", async () => {
    const random = seededRandom(randomSeed("epochs, shared"));
    const guest = new MadeGuest(random, [1000]);
    const [shadow, encoder] = [new Shadow(), new EpochEncoder()];
    const memory = new Uint8Array(guest.memory.length);
    guest.memory.set(random.bytes(400 * 4096));
    guest.memory.copyWithin(600 * 4096, 0, 300 * 4096);
    await guest.epoch(shadow);
    const full = await follow(encoder, shadow, shadow.takeChanges(), memory);
    // Of 700 pages that are not zero 300 repeat others; a hint that was lost costs a page.
    expect(full).toBeLessThan(500 * 4096);
    // Pages change places, a byte further, and one comes from where nothing changes.
    const half = guest.memory.slice(20 * 4096, 30 * 4096);
    guest.memory.copyWithin(20 * 4096 + 1, 10 * 4096, 20 * 4096);
    guest.memory.set(half, 10 * 4096 + 3);
    guest.memory.copyWithin(700 * 4096, 250 * 4096, 251 * 4096);
    guest.work = () => undefined;
    await guest.epoch(shadow);
    const changes = shadow.takeChanges();
    expect(changes.count().blockCount).toBeGreaterThan(1200);
    expect(await follow(encoder, shadow, changes, memory)).toBeLessThan(4096);
    expect(Buffer.compare(memory, guest.memory)).toBe(0);
  });

  it("says of devices what is new", () => {
    const random = seededRandom(randomSeed("epochs, devices"));
    const encoder = new EpochEncoder();
    const before = random.bytes(1_500_000);
    const state = Uint8Array.from([...before.subarray(0, 1_400_000), 1, 2, 3]);
    state[77] ^= 1;
    for (const [older, most] of [[before, 200] as const, [undefined, 2_000_000] as const]) {
      const parts = [...encoder.devices(state, older)];
      const found = parts.map((part, i) =>
        decoder.devices(part, older?.subarray(i << 20, (i + 1) << 20), "a part"),
      );
      expect(Buffer.compare(Buffer.concat(found), state)).toBe(0);
      expect(parts.reduce((sum, { body }) => sum + body.length, 0)).toBeLessThan(most);
    }
  });
});
