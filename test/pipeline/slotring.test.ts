// Slots against an oracle that keeps every cluster by itself: what may be named is there, byte for
// byte, however often the ring wraps, and a source that keeps too much is refused.
import { describe, expect, it } from "vitest";
import { Arena } from "../../src/core/arena.ts";
import { PLACE_BYTES } from "../../src/core/slab.ts";
import { SLOT_RING_SPARE_BYTES, SlotRing } from "../../src/pipeline/slotring.ts";
import { randomSeed, type SeededRandom, seededRandom } from "../support/random.ts";

const KEPT_BYTES = 100_000;
const BODY_BYTES = SLOT_RING_SPARE_BYTES / 6;

function openArena(): Arena {
  const byteLength = 65_536 + Math.ceil(SlotRing.bytesFor(KEPT_BYTES) / 65_536) * 65_536 + 65_536;
  return new Arena({ buffer: new ArrayBuffer(byteLength) });
}

/** What the places say of a cluster. */
function read(arena: Arena, ring: SlotRing, cluster: number): Uint8Array {
  const { ptr, cycle = 0 } = ring.places;
  const at = ptr + (cluster % cycle) * PLACE_BYTES;
  return arena.at(arena.view.getFloat64(at, true), arena.view.getUint32(at + 8, true));
}

/** Clusters of one body, each filled with bytes of its own. */
function bodyOf(random: SeededRandom, first: number, byteLength: number) {
  const clusters: Uint8Array[] = [];
  for (let left = byteLength; left > 0; ) {
    const length = Math.min(left, 1 + random.int(byteLength));
    clusters.push(new Uint8Array(length).fill((first + clusters.length) * 7));
    left -= length;
  }
  const entries = clusters.map(({ length }) => {
    return { byteLength: length, itemCount: 1, isDeltas: false };
  });
  return { clusters, entries, body: Buffer.concat(clusters) };
}

const nobody = (): Promise<unknown> => Promise.resolve();

describe("a ring of slots", () => {
  it("holds what may be named, however often it wraps", async () => {
    const random = seededRandom(randomSeed("slots"));
    for (let round = 0; round < 4; round++) {
      const arena = openArena();
      const free = arena.largestFreeBytes;
      const ring = new SlotRing(arena, KEPT_BYTES);
      const known: Uint8Array[] = [];
      let firstKept = 0;
      for (let batch = 0; batch < 70; batch++) {
        // Of one size in some rounds, so that bodies end where others have begun.
        const byteLength =
          random.int(5) === 0 ? 0 : round < 2 ? BODY_BYTES : random.int(BODY_BYTES);
        const { clusters, entries, body } = bodyOf(random, known.length, Math.floor(byteLength));
        await ring.put(body, entries);
        known.push(...clusters);
        expect(ring.clusterCount).toBe(known.length);
        let keptBytes = 0;
        let first = known.length;
        while (first > firstKept && keptBytes + known[first - 1].length <= KEPT_BYTES) {
          keptBytes += known[--first].length;
        }
        firstKept = first;
        ring.drop(firstKept, nobody);
        expect(ring.places).toMatchObject({ first: firstKept, count: known.length });
        for (let cluster = firstKept; cluster < known.length; cluster++) {
          const got = read(arena, ring, cluster);
          expect(Buffer.compare(got, known[cluster]), `batch ${batch}`).toBe(0);
        }
      }
      ring.close();
      expect(arena.largestFreeBytes).toBe(free);
    }
  });

  it("is not overwritten behind a segment of no bytes", async () => {
    const arena = openArena();
    const ring = new SlotRing(arena, KEPT_BYTES);
    const size = Math.floor((KEPT_BYTES + SLOT_RING_SPARE_BYTES) / 8);
    const put = (byteLength: number): Promise<void> => {
      const body = new Uint8Array(byteLength).fill(7 + ring.clusterCount);
      return ring.put(body, byteLength > 0 ? one(body) : []);
    };
    await put(size);
    await put(0);
    for (let i = 0; i < 7; i++) await put(size);
    ring.drop(1, nobody);
    await put(size);
    // Exactly where the segment of no bytes would be, and the kept one is.
    await expect(put(size)).rejects.toThrow(/keeps more than \d+ bytes of clusters$/);
    expect(read(arena, ring, 1).every((byte) => byte === 8)).toBe(true);
  });

  it("waits for those who still read what gives way", async () => {
    const arena = openArena();
    const ring = new SlotRing(arena, KEPT_BYTES);
    let done: () => void = () => undefined;
    const readers = new Promise<void>((resolve) => {
      done = resolve;
    });
    const body = new Uint8Array(Math.floor(BODY_BYTES));
    await ring.put(body, one(body));
    ring.drop(1, () => readers);
    // Later readers cannot name it.
    ring.drop(1, () => new Promise(() => undefined));
    let hasRoom = false;
    for (let i = 0; i < 5; i++) await ring.put(body, one(body));
    const put = ring.put(body, one(body)).then(() => {
      hasRoom = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(hasRoom).toBe(false);
    done();
    await put;
  });

  it("refuses more than was agreed, in bytes and in clusters", async () => {
    const arena = openArena();
    const ring = new SlotRing(arena, KEPT_BYTES);
    const body = new Uint8Array(Math.floor(BODY_BYTES));
    const fill = async (): Promise<void> => {
      for (let i = 0; i < 8; i++) await ring.put(body, one(body));
    };
    await expect(fill()).rejects.toMatchObject({ code: "CONNECTION" });
    ring.close();
    const many = new SlotRing(arena, KEPT_BYTES);
    const { cycle = 0 } = many.places;
    const bytes = new Uint8Array(512);
    const entries = Array.from({ length: 512 }, () => one(bytes.subarray(0, 1))[0]);
    const count = async (): Promise<void> => {
      for (let clusters = 0; clusters <= cycle; clusters += 512) await many.put(bytes, entries);
    };
    await expect(count()).rejects.toMatchObject({ code: "CONNECTION" });
  });

  it("fits into what it says it takes", () => {
    const random = seededRandom(randomSeed("slots"));
    for (let round = 0; round < 500; round++) {
      const byteLength = SLOT_RING_SPARE_BYTES * 2 + random.int(2 ** 31);
      const slotBytes = SlotRing.slotBytesWithin(byteLength);
      expect(SlotRing.bytesFor(slotBytes)).toBeLessThanOrEqual(byteLength);
      expect(SlotRing.bytesFor(slotBytes)).toBeGreaterThan(byteLength - 1000);
    }
    expect(SlotRing.slotBytesWithin(1000)).toBe(0);
  });
});

function one(body: Uint8Array) {
  return [{ byteLength: body.length, itemCount: 1, isDeltas: false }];
}
