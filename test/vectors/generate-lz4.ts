// Writes lz4.json: blocks that the kernel's encoder made, frozen. The bytes change only together
// with the format version of archives, as the same input must give the same file.
import { writeFileSync } from "node:fs";
import { LZ4_SCRATCH_BYTES } from "../../src/kernels/abi.ts";
import { FIRST_FREE_BYTE, openKernels } from "../support/kernels.ts";
import { lz4VectorInputs } from "../support/lz4-inputs.ts";

const SRC = FIRST_FREE_BYTE + LZ4_SCRATCH_BYTES;
const DST = SRC + 65536;
const { kernels, bytes } = openKernels("release", LZ4_SCRATCH_BYTES + 3 * 65536);
const vectors = lz4VectorInputs().map(({ name, input }) => {
  bytes.set(input, SRC);
  const length = kernels.lz4Compress(SRC, input.length, DST, 2 * 65536, FIRST_FREE_BYTE);
  return { name, block: Buffer.from(bytes.slice(DST, DST + length)).toString("hex") };
});
writeFileSync(new URL("lz4.json", import.meta.url), `${JSON.stringify(vectors, null, 2)}\n`);
