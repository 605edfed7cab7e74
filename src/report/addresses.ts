// Where frames lay in the captured address space, as few ranges as possible.
import type { Segment } from "../core/extent.ts";
import { PAGE_BYTES, pagesFor } from "../core/page.ts";
import type { ExplainedMap } from "../explainapi.ts";

interface AddressedSegments {
  readonly segments: readonly Segment[];
  readonly regions: readonly { readonly segmentIndex: number; readonly address: bigint }[];
}

/**
 * The ranges of frames with an address; neighbours in both spaces are one range. A process may have
 * tens of thousands of mappings: those behind `limit` ranges are left out.
 */
export function addressRanges(
  { segments, regions }: AddressedSegments,
  limit: number,
): ExplainedMap["addresses"] {
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
    else if (ranges.length === limit) break;
    else ranges.push({ frame, frameCount, address });
  }
  return ranges;
}
