// The way from the memory of all images to the archive, step by step.
import { PAGE_BYTES } from "../core/page.ts";
import type { ExplainedStep } from "../explainapi.ts";
import type { FrameCounts } from "../wire/imagehead.ts";

/** What packing counted. */
export interface PackedBytes {
  /** Of all images. */
  readonly counts: FrameCounts;
  /** What the deltas were before they were compressed. */
  readonly deltaBytes: number;
  /** Clusters with their headers. */
  readonly storedBytes: number;
  readonly outputBytes: number;
}

/** Their changes add up: from 0 to the bytes of the archive. */
export function stepsOf(packed: PackedBytes): ExplainedStep[] {
  const { counts, deltaBytes, storedBytes, outputBytes } = packed;
  const frames = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const plainBytes = (counts.compressed + counts.raw) * PAGE_BYTES;
  const changes = {
    memory: frames * PAGE_BYTES,
    zero: -counts.zero * PAGE_BYTES,
    uniform: -counts.uniform * PAGE_BYTES,
    duplicateInside: -counts.duplicateInside * PAGE_BYTES,
    duplicateAcross: -counts.duplicateAcross * PAGE_BYTES,
    similar: deltaBytes - counts.similar * PAGE_BYTES,
    compression: storedBytes - plainBytes - deltaBytes,
    overhead: outputBytes - storedBytes,
  };
  let leftBytes = 0;
  return Object.entries(changes).map(([name, change]) => {
    const changeBytes = change === 0 ? 0 : change;
    leftBytes += changeBytes;
    return { name, changeBytes, leftBytes };
  });
}
