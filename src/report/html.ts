// Makes the report page: the page that the build has made (scripts/bundle.mjs), with the numbers in
// it. Names and bytes of images are deflated into it; none of them is ever markup.
import { readFileSync } from "node:fs";
import { deflateRawSync } from "node:zlib";
import type { PackOutput } from "../api.ts";
import type { ExplainedMap, Explanation } from "../explainapi.ts";
import { SparseFile } from "../image/sparsefile.ts";
import { PageMap } from "./pagemap.ts";
import { encodePayload } from "./payload.ts";

/** The largest report. Where maps make it larger, they are drawn in fewer, larger cells. */
export const MAX_REPORT_BYTES = 3 << 20;
/** Where the template wants the payload in base64. */
const MARK = /(?<=id="payload">)PAYLOAD(?=<\/script>)/;

/** One self-contained HTML page that shows `explanation`. Needs no network. */
export function reportPage(explanation: Explanation): Uint8Array<ArrayBuffer> {
  // From src/report and from dist/chunks alike.
  const url = new URL("../../dist/report/page.html", import.meta.url);
  const [head, tail] = readFileSync(url, "utf8").split(MARK);
  const room = MAX_REPORT_BYTES - Buffer.byteLength(head) - Buffer.byteLength(tail);
  const payload = fitted(explanation, Math.floor(room / 4) * 3);
  return Buffer.concat([
    Buffer.from(head),
    Buffer.from(payload.toString("base64")),
    Buffer.from(tail),
  ]);
}

/** Writes the page, complete or not at all; returns its length. OUTPUT. */
export async function writeReport(explanation: Explanation, output: PackOutput): Promise<number> {
  const page = reportPage(explanation);
  if ("write" in output) {
    await output.write(page);
    return page.length;
  }
  const file = await SparseFile.create(output.path, { force: output.force ?? false });
  try {
    await file.write(0, page);
    await file.commit(page.length);
  } finally {
    await file.discard();
  }
  return page.length;
}

/** Deflated to at most `limit` bytes: the finest maps become coarser until it fits. */
function fitted(explanation: Explanation, limit: number): Buffer {
  let { maps } = explanation;
  for (;;) {
    const deflated = deflateRawSync(encodePayload({ ...explanation, maps }));
    if (deflated.length <= limit) return deflated;
    // Half of the cells are about half of the bytes, if it is the maps that are large.
    for (let length = deflated.length; length > limit; length /= 2) maps = coarser(maps);
  }
}

function coarser(maps: readonly ExplainedMap[]): ExplainedMap[] {
  const scales = maps.filter(({ cellCount }) => cellCount > 1).map((map) => map.framesPerCell);
  if (scales.length === 0) throw new Error("a report without maps is too large");
  const finest = Math.min(...scales);
  return maps.map((map) => {
    if (map.framesPerCell !== finest) return map;
    const copy = PageMap.from(map);
    copy.coarsen();
    return copy;
  });
}
