// A file without structure: its bytes are memory from the first to the last.
import type { Segment } from "../core/extent.ts";

/** All of the file as one segment; none when it is empty. */
export function rawSegments(byteLength: number): Segment[] {
  return byteLength === 0 ? [] : [{ byteOffset: 0, byteLength }];
}
