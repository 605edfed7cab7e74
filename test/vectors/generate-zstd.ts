// Writes zstd/*.zst with the `zstd` command: frames as others write them, frozen. A newer command
// writes other bytes for the same content, which is no reason to write them anew.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  contentsOf,
  skippableFrame,
  ZSTD_VECTORS,
  zstdVectorPath,
} from "../support/zstd-vectors.ts";

const folder = mkdtempSync(join(tmpdir(), "pagefold-vectors-"));
const file = join(folder, "content");
for (const vector of ZSTD_VECTORS) {
  const skip = vector.skippable === undefined ? [] : [skippableFrame(vector.skippable)];
  const parts: Uint8Array[] = [...skip];
  contentsOf(vector).forEach((content, i) => {
    const args = ["-q", "-c", ...vector.frames[i]];
    writeFileSync(file, content);
    const frame = vector.isPiped
      ? execFileSync("zstd", args, { input: content, maxBuffer: 1 << 30 })
      : execFileSync("zstd", [...args, file], { maxBuffer: 1 << 30 });
    parts.push(frame, ...skip);
  });
  writeFileSync(zstdVectorPath(vector.name), Buffer.concat(parts));
}
rmSync(folder, { recursive: true });
