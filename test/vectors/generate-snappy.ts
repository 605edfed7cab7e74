// Writes snappy.json: what releases of libsnappy make of the inputs of one seed, through Python's
// ctypes. Arguments are RELEASE=LIBRARY pairs, RELEASE as in src/kernels/snappy.ts and LIBRARY a
// libsnappy.so; for the releases "with crc" one that was compiled with -msse4.2.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { deflateInputs } from "../support/deflate-inputs.ts";

const SEED = 1;
const COMPRESS = `
import ctypes, sys
lib = ctypes.CDLL(sys.argv[1])
content = sys.stdin.buffer.read()
size = ctypes.c_size_t(len(content) * 2 + 64)
block = ctypes.create_string_buffer(size.value)
assert lib.snappy_compress(content, ctypes.c_size_t(len(content)), block, ctypes.byref(size)) == 0
sys.stdout.buffer.write(block.raw[: size.value])
`;

const releases = process.argv.slice(2).map((pair) => {
  const [release, library] = pair.split("=");
  const blocks = deflateInputs(SEED).map(({ name, input }) => {
    const block = execFileSync("python3", ["-c", COMPRESS, library], { input });
    const sha256 = createHash("sha256").update(block).digest("hex").slice(0, 8);
    return `${name}: ${block.length} ${sha256}`;
  });
  return { release, blocks };
});
const file = `${JSON.stringify({ seed: SEED, releases }, null, 1)}\n`;
writeFileSync(new URL("snappy.json", import.meta.url), file);
