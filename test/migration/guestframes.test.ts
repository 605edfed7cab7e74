// What a page may be a delta against: what its frame was up to HISTORY_LAG batches ago, whoever was
// faster since.
import { describe, expect, it } from "vitest";
import { NO_ENTRY } from "../../src/kernels/abi.ts";
import { FrameEntries, GuestFrames } from "../../src/migration/guestframes.ts";
import type { Batch } from "../../src/pipeline/batch.ts";
import { HISTORY_LAG } from "../../src/pipeline/history.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const FRAMES = 40_000;

interface Made {
  readonly batch: Batch;
  readonly frames: Uint32Array;
  readonly entries: readonly number[];
  readonly forgotten: readonly number[];
}

function make(random: ReturnType<typeof seededRandom>, ordinal: number): Made {
  const hot = () => (random.int(3) ? random.int(30) : random.int(FRAMES));
  const frames = Uint32Array.from({ length: 1 + random.int(20) }, hot);
  const list = new GuestFrames(frames.length, frames, false);
  const source = { name: "web", image: 0, file: undefined };
  return {
    batch: { ordinal, source, frames: list, slabPtr: 0 },
    frames,
    entries: [...frames].map((_, i) => (random.int(4) ? ordinal * 100 + i : NO_ENTRY)),
    forgotten: Array.from({ length: random.int(4) }, hot),
  };
}

/** By batch and page: what a guest sees whose batches come in order and take no time. */
function oracle(made: readonly Made[]): (number | undefined)[][] {
  return made.map(({ frames }, n) => {
    const known = new Map<number, number>();
    for (const earlier of made.slice(0, Math.max(0, n - HISTORY_LAG + 1))) {
      earlier.frames.forEach((frame, i) => {
        if (earlier.entries[i] !== NO_ENTRY) known.set(frame, earlier.entries[i]);
      });
      for (const frame of earlier.forgotten) known.delete(frame);
    }
    return [...frames].map((frame) => known.get(frame));
  });
}

describe("entries of frames", () => {
  it("are seen as of HISTORY_LAG batches ago, however late or early these are emitted", () => {
    const random = seededRandom(randomSeed("frames"));
    for (let round = 0; round < 30; round++) {
      const made = Array.from({ length: 60 }, (_, n) => make(random, n));
      const expected = oracle(made);
      const entries = new FrameEntries();
      let [added, matched, emitted] = [0, 0, 0];
      while (emitted < made.length) {
        const choice = random.int(3);
        if (choice === 0 && added < made.length) {
          const { frames, forgotten } = made[added];
          entries.sent(added, frames, frames.length);
          entries.forget(added++, forgotten);
        } else if (choice === 1 && matched < added && emitted > matched - HISTORY_LAG) {
          const { batch, frames } = made[matched];
          const seen = [...frames].map((_, page) => entries.previous(batch, page));
          expect(seen, `batch ${matched}`).toEqual(expected[matched++]);
        } else if (choice === 2 && emitted < matched) {
          const one = made[emitted++];
          entries.emitted(one.batch, (page) => one.entries[page]);
        }
      }
    }
  });

  it("do not pile up when nobody looks", () => {
    const random = seededRandom(1);
    const entries = new FrameEntries();
    for (let n = 0; n < 100; n++) {
      const { batch, frames } = make(random, n);
      entries.sent(n, frames, frames.length);
      entries.emitted(batch, () => n);
    }
    expect((entries as unknown as { changes: unknown[] }).changes.length).toBe(HISTORY_LAG);
  });
});
