// Where the pages of an image are in its file: segments that are cut into pages, and the map from
// frames to bytes.
import { PAGE_BYTES, pagesFor } from "./page.ts";

/**
 * A run of bytes of an image file, cut into pages from its own start; its last page may be
 * partial. The segments of an image follow one another without gap from byte 0 to the end, so a
 * format that keeps page-aligned memory at an odd file offset still yields whole memory pages.
 */
export interface Segment {
  /** Bytes from the start of the file. */
  readonly byteOffset: number;
  /** Bytes; at least 1. */
  readonly byteLength: number;
}

/** Frames that a list of segments is cut into. */
export function frameCountOf(segments: readonly Segment[]): number {
  let frames = 0;
  for (const segment of segments) frames += pagesFor(segment.byteLength);
  return frames;
}

/** A run of consecutive frames inside one segment, as bytes of the file. */
export interface FileRun {
  readonly frame: number;
  readonly frameCount: number;
  readonly byteOffset: number;
  /** frameCount × 4096, or less when the run ends with the partial last page of its segment. */
  readonly byteLength: number;
}

/** Maps frames to bytes of the file. Look-ups are by binary search over the segments. */
export class FrameMap {
  readonly frameCount: number;
  private readonly firstFrames: Float64Array;
  private readonly segments: readonly Segment[];

  constructor(segments: readonly Segment[]) {
    this.segments = segments;
    this.firstFrames = new Float64Array(segments.length + 1);
    segments.forEach((segment, i) => {
      this.firstFrames[i + 1] = this.firstFrames[i] + pagesFor(segment.byteLength);
    });
    this.frameCount = this.firstFrames[segments.length];
  }

  /** The runs of file bytes that hold frames [frame, frame + count), in order. */
  runs(frame: number, count: number): FileRun[] {
    const runs: FileRun[] = [];
    const end = Math.min(frame + count, this.frameCount);
    let index = this.segmentOf(frame);
    for (let at = frame; at < end; index++) {
      const segment = this.segments[index];
      const stop = Math.min(end, this.firstFrames[index + 1]);
      const start = (at - this.firstFrames[index]) * PAGE_BYTES;
      runs.push({
        frame: at,
        frameCount: stop - at,
        byteOffset: segment.byteOffset + start,
        byteLength: Math.min((stop - at) * PAGE_BYTES, segment.byteLength - start),
      });
      at = stop;
    }
    return runs;
  }

  /** The frame that holds a byte of the file, and how many bytes of it come before. */
  frameAt(byteOffset: number): { frame: number; skipBytes: number } {
    const index = this.search((i) => this.segments[i].byteOffset <= byteOffset);
    const inside = byteOffset - this.segments[index].byteOffset;
    const skipBytes = inside % PAGE_BYTES;
    return { frame: this.firstFrames[index] + (inside - skipBytes) / PAGE_BYTES, skipBytes };
  }

  private segmentOf(frame: number): number {
    return this.search((i) => this.firstFrames[i] <= frame);
  }

  /** The last segment that begins no later than what is looked for. */
  private search(beginsBefore: (index: number) => boolean): number {
    let low = 0;
    let high = this.segments.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (beginsBefore(middle)) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
