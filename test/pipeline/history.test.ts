// What may be had again: for sure by batch numbers and bytes, whoever was faster.
import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { Arena } from "../../src/core/arena.ts";
import { PLACE_BYTES, SLAB_CLUSTERS_BYTES } from "../../src/core/slab.ts";
import { Scope } from "../../src/dedup/scope.ts";
import { HISTORY_LAG, History, MIN_RING_BYTES } from "../../src/pipeline/history.ts";
import { collector, inPieces, openTestEngine } from "../support/engine.ts";
import { apart, mixed, noise } from "../support/images.ts";
import { openKernels } from "../support/kernels.ts";
import { seededRandom } from "../support/random.ts";

const MIB = 1 << 20;
/** Batches as large as can be that the smallest ring holds. */
const ROUND = Math.floor(MIN_RING_BYTES / SLAB_CLUSTERS_BYTES);

/** A history over its own memory, and a way to emit batches of one cluster. */
function openHistory(ringBytes: number, clusterFd?: number) {
  const { kernels, memory } = openKernels("release", 80 * MIB);
  const arena = new Arena(memory);
  const scope = new Scope(arena, kernels, { memoryBytes: 4 * MIB, pageCount: undefined });
  const source = arena.reserve(2 * MIB, "clusters");
  const history = new History({ arena, scope, clusterFd, ringBytes });
  const emit = (ordinal: number, byteLength: number): void => {
    arena.at(source.ptr, byteLength).fill(ordinal);
    const cluster = { byteOffset: 0, byteLength, itemCount: 1, isDeltas: false, isRaw: true };
    history.keep(ordinal, [cluster], ordinal, source.ptr);
  };
  const placed = (cluster: number): Uint8Array => {
    const at = scope.placesPtr + cluster * PLACE_BYTES;
    return arena.at(arena.view.getFloat64(at, true), arena.view.getUint32(at + 8, true));
  };
  return { history, emit, placed };
}

const page = (owner: number) => ({ owner, page: 0, isDelta: false });

describe("history", () => {
  it("still has what it said would be there, whatever was stored since", () => {
    const { history, emit, placed } = openHistory(MIN_RING_BYTES);
    const random = seededRandom(6);
    for (let ordinal = 0; ordinal < 200; ordinal++) {
      const readable = [];
      for (let owner = 0; owner < ordinal; owner++) {
        if (history.isReadable(page(owner), ordinal)) readable.push(owner);
      }
      // The newest are always there, and older ones only while their turn has not come.
      expect(readable.slice(-HISTORY_LAG + 1)).toEqual(
        Array.from({ length: Math.min(ordinal, HISTORY_LAG - 1) }, (_, i) => {
          return ordinal - Math.min(ordinal, HISTORY_LAG - 1) + i;
        }),
      );
      for (const owner of readable) {
        const held = placed(owner);
        // A cluster is overwritten from its first byte on, or from before.
        if (held[0] !== (owner & 0xff) || held[held.length - 1] !== (owner & 0xff)) {
          throw new Error(`batch ${owner} is gone for batch ${ordinal}`);
        }
      }
      emit(ordinal, 1 + random.int(ordinal % 3 === 0 ? 5000 : 200_000));
    }
  });

  it("lets batches use old content as long as the ring surely holds it", () => {
    const { history, emit } = openHistory(MIN_RING_BYTES);
    const last = ROUND - 2;
    for (let ordinal = 0; ordinal < last; ordinal++) emit(ordinal, SLAB_CLUSTERS_BYTES);
    expect(history.isReadable(page(last - 1), last)).toBe(true);
    expect(history.isReadable(page(0), last)).toBe(true);
    expect(history.isReference(0, last)).toBe(false);
    for (let ordinal = last; ordinal < last + 20; ordinal++) emit(ordinal, SLAB_CLUSTERS_BYTES);
    expect(history.isReadable(page(0), last + 20)).toBe(false);
  });

  it("says no to deltas whose references may be gone, or lie in the base", () => {
    const { history, emit } = openHistory(MIN_RING_BYTES);
    const last = ROUND + 8;
    for (let ordinal = 0; ordinal < last; ordinal++) {
      if (ordinal === 20) history.refer(20, 4);
      if (ordinal === last - 2) history.referToBase(ordinal, 7);
      emit(ordinal, SLAB_CLUSTERS_BYTES);
    }
    expect(history.isReadable({ owner: 20, page: 0, isDelta: false }, last)).toBe(true);
    expect(history.isReadable({ owner: 20, page: 0, isDelta: true }, last)).toBe(false);
    expect(history.isReadable({ owner: last - 2, page: 7, isDelta: false }, last)).toBe(false);
    expect(history.isReadable({ owner: last - 2, page: 6, isDelta: false }, last)).toBe(true);
  });

  it("knows only the batch itself without a ring, and everything with a file", () => {
    const none = openHistory(MIB).history;
    expect(none.isReadable(page(7), 7)).toBe(true);
    expect(none.isReadable(page(6), 7)).toBe(false);
    expect(openHistory(0, 3).history.isReadable(page(0), 1000)).toBe(true);
  });

  it.each([224 * MIB, 96 * MIB])(
    "makes packing from one pipe into another the same for all workers, %i bytes of memory",
    async (memoryBytes) => {
      const random = seededRandom(31);
      const first = Buffer.concat([mixed(random, 3000), noise(random, 4000)]);
      const image = Buffer.concat([apart(random, mixed(random, 500)), first, first]);
      const digests = new Set<string>();
      for (const threads of [0, 1, 2]) {
        const engine = await openTestEngine({ threads, memoryBytes });
        const archive = collector();
        const input = { name: "stdin", bytes: inPieces(image, 65_536), mtimeMs: 0 };
        await engine.pack([input], archive);
        digests.add(createHash("sha256").update(archive.bytes()).digest("hex"));
        const report = await engine.verify({ bytes: inPieces(archive.bytes(), 1 << 20) });
        expect(report.intact).toBe(true);
      }
      expect(digests.size).toBe(1);
    },
  );
});
