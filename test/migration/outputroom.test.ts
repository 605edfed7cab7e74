// Large buffers come back, small ones do not, and nobody gets one that another still has.
import { describe, expect, it } from "vitest";
import { OutputRoom } from "../../src/migration/outputroom.ts";

const LARGE = 1 << 20;

describe("output room", () => {
  it("gives a buffer again once it was given back", () => {
    const room = new OutputRoom();
    const first = room.take(LARGE);
    const second = room.take(LARGE);
    expect(second.buffer).not.toBe(first.buffer);
    room.give(first);
    const third = room.take(LARGE + 5);
    expect(third.buffer).toBe(first.buffer);
    expect(third.length).toBe(LARGE + 5);
  });

  it("makes small and too large ones of their own length and keeps none", () => {
    const room = new OutputRoom();
    for (const byteLength of [0, 1, 1000, 5 << 20]) {
      const bytes = room.take(byteLength);
      expect(bytes.buffer.byteLength).toBe(byteLength);
      room.give(bytes);
      expect(room.take(LARGE).buffer).not.toBe(bytes.buffer);
    }
  });
});
