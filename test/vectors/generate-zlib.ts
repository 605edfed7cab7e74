// Writes zlib.json: what zlib makes at level 1 of the inputs of one seed, through Python, which
// links the zlib of the system. Debian's is the original one; that of Node is not, and differs.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { deflateInputs } from "../support/deflate-inputs.ts";

const SEED = 1;
const COMPRESS =
  "import sys,zlib; sys.stdout.buffer.write(zlib.compress(sys.stdin.buffer.read(),1))";
const version = execFileSync("python3", ["-c", "import zlib; print(zlib.ZLIB_RUNTIME_VERSION)"]);

const streams = deflateInputs(SEED).map(({ name, input }) => {
  const stream = execFileSync("python3", ["-c", COMPRESS], { input });
  const sha256 = createHash("sha256").update(stream).digest("hex").slice(0, 16);
  return { name, bytes: stream.length, sha256 };
});
const file = { zlib: version.toString().trim(), seed: SEED, streams };
writeFileSync(new URL("zlib.json", import.meta.url), `${JSON.stringify(file, null, 1)}\n`);
