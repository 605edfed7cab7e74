// Writes blake3.json with hash-wasm: digests of the inputs of the BLAKE3 team's own vectors
// (github.com/BLAKE3-team/BLAKE3, test_vectors), plain and under their key; the first 32 bytes of
// theirs are the same.
import { writeFileSync } from "node:fs";
import { blake3 } from "hash-wasm";
import { painted } from "../support/pages.ts";

const KEY = "whats the Elvish word for friend";
const LENGTHS = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 63, 64, 65, 127, 128, 129, 1023, 1024, 1025, 2048, 2049, 3072, 3073,
  4096, 4097, 5120, 5121, 6144, 6145, 7168, 7169, 8192, 8193, 16384, 31744, 102400,
];

const cases = [];
for (const byteLength of LENGTHS) {
  const input = painted(byteLength);
  const hash = await blake3(input);
  const keyed = await blake3(input, 256, Buffer.from(KEY));
  cases.push({ byteLength, hash, keyed });
}
const text = JSON.stringify({ key: KEY, cases }, null, 2);
writeFileSync(new URL("blake3.json", import.meta.url), `${text}\n`);
