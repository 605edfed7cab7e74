// What an unpack could not have: ranges of frames, and the list of them beside a damaged image.
import { writeFile } from "node:fs/promises";
import type { LostRange } from "../api.ts";
import { PagefoldError, reasonOf } from "../core/errors.ts";
import type { FrameMap } from "../core/extent.ts";
import type { LostRun } from "./restoreplan.ts";

/** Runs of one image in frame order, those that touch for the same reason joined. */
export function lostRanges(name: string, runs: readonly LostRun[]): LostRange[] {
  const ranges: LostRange[] = [];
  for (const run of [...runs].sort((a, b) => a.frame - b.frame)) {
    const last = ranges.at(-1);
    if (last && last.firstFrame + last.frameCount === run.frame && last.reason === run.reason) {
      last.frameCount += run.count;
    } else {
      const { frame, count, reason } = run;
      ranges.push({ name, firstFrame: frame, frameCount: count, reason });
    }
  }
  return ranges;
}

/** Writes `path`.lost: byte offset, byte length and reason of each range, one to a line. */
export async function writeLostList(
  path: string,
  map: FrameMap,
  ranges: readonly LostRange[],
): Promise<void> {
  const lines = ["# byte offset, byte length, reason; these bytes are zero in the image\n"];
  for (const { firstFrame, frameCount, reason } of ranges) {
    for (const run of map.runs(firstFrame, frameCount)) {
      lines.push(`${run.byteOffset}\t${run.byteLength}\t${reason}\n`);
    }
  }
  try {
    await writeFile(`${path}.lost`, lines.join(""), { mode: 0o600 });
  } catch (error) {
    throw new PagefoldError("OUTPUT", `${path}.lost: ${reasonOf(error)}`, { cause: error });
  }
}
