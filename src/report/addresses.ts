// Where frames lay in the captured address space, as few ranges as possible.
import type { Segment } from "../core/extent.ts";
import { PAGE_BYTES, pagesFor } from "../core/page.ts";
import type { ExplainedMap } from "../explainapi.ts";

interface AddressedSegments {
  readonly segments: readonly Segment[];
  readonly regions: readonly { readonly segmentIndex: number; readonly address: bigint }[];
}

/** A process may have tens of thousands of mappings; those behind this many are left out. */
const MAX_RANGES = 4096;

/** The ranges of frames with an address. Neighbours in both spaces are one range. */
export function addressRanges({ segments, regions }: AddressedSegments): ExplainedMap["addresses"] {
  const ranges: ExplainedMap["addresses"] = [];
  const firstFrames = [0];
  for (const { byteLength } of segments) {
    firstFrames.push(firstFrames[firstFrames.length - 1] + pagesFor(byteLength));
  }
  for (const { segmentIndex, address } of regions) {
    const frame = firstFrames[segmentIndex];
    const frameCount = firstFrames[segmentIndex + 1] - frame;
    const last = ranges[ranges.length - 1];
    const isNext =
      last !== undefined &&
      last.frame + last.frameCount === frame &&
      last.address + BigInt(last.frameCount * PAGE_BYTES) === address;
    if (isNext) last.frameCount += frameCount;
    else if (ranges.length === MAX_RANGES) break;
    else ranges.push({ frame, frameCount, address });
  }
  return ranges;
}
