// Buffers come back, tiny and huge ones do not, and nobody gets one that another still has.
import { describe, expect, it } from "vitest";
import { OutputRoom } from "../../src/migration/outputroom.ts";

const LARGE = 1 << 20;

describe("output room", () => {
  it("gives a buffer again once it was given back", () => {
    const room = new OutputRoom();
    const first = room.take(LARGE - 7);
    const second = room.take(LARGE);
    expect(second.buffer).not.toBe(first.buffer);
    room.give(first);
    const third = room.take(LARGE / 2 + 1);
    expect(third.buffer).toBe(first.buffer);
    expect(third.length).toBe(LARGE / 2 + 1);
    expect(room.take(LARGE).buffer).not.toBe(first.buffer);
  });

  it("never gives less than was asked for", () => {
    const room = new OutputRoom();
    for (const byteLength of [1 << 14, (1 << 14) + 1, 1 << 16, LARGE, LARGE + 1, 4 << 20]) {
      const bytes = room.take(byteLength);
      expect(bytes.length).toBe(byteLength);
      room.give(bytes);
      expect(room.take(byteLength).buffer).toBe(bytes.buffer);
    }
  });

  it("makes tiny and huge ones of their own length and keeps none", () => {
    const room = new OutputRoom();
    for (const byteLength of [0, 1, 1000, 5 << 20]) {
      const bytes = room.take(byteLength);
      expect(bytes.buffer.byteLength).toBe(byteLength);
      room.give(bytes);
      expect(room.take(byteLength).buffer).not.toBe(bytes.buffer);
    }
  });

  it("keeps no more than its limit", () => {
    const room = new OutputRoom();
    const taken = Array.from({ length: 80 }, () => room.take(LARGE));
    for (const bytes of taken) room.give(bytes);
    const buffers = new Set(taken.map(({ buffer }) => buffer));
    const again = Array.from({ length: 80 }, () => room.take(LARGE));
    expect(again.filter(({ buffer }) => buffers.has(buffer))).toHaveLength(64);
  });
});
