// Pages of a base image, read from its file into linear memory: what a delta or a run of an archive
// may refer to besides clusters.
import { PagefoldError } from "../core/errors.ts";
import { FrameMap, type Segment } from "../core/extent.ts";
import { PAGE_BYTES } from "../core/page.ts";
import type { BaseReader } from "./slot.ts";
import { readFully } from "./surveytask.ts";
import type { RestoreBase, TaskContext } from "./task.ts";

/** Reads frames of the base file; frames beyond its end are DAMAGED. */
export function openBaseReader(context: TaskContext, base: RestoreBase): BaseReader {
  const segments: Segment[] = [];
  for (let i = 0; i < base.segments.length; i += 2) {
    segments.push({ byteOffset: base.segments[i], byteLength: base.segments[i + 1] });
  }
  const map = new FrameMap(segments);
  return (frame, count, target) => {
    if (frame + count > map.frameCount) {
      throw new PagefoldError("DAMAGED", `frame ${frame + count - 1} of the base is not there`);
    }
    for (const run of map.runs(frame, count)) {
      const into = target + (run.frame - frame) * PAGE_BYTES;
      const got = readFully(context.bytes, base.fd, into, run.byteLength, run.byteOffset);
      if (got < run.byteLength) {
        throw new PagefoldError("CHANGED", `the base shrank to ${run.byteOffset + got} bytes`);
      }
      context.bytes.fill(0, into + run.byteLength, into + run.frameCount * PAGE_BYTES);
    }
  };
}
