// Writes delta.json: deltas that the kernel's encoder made, frozen. The bytes change only together
// with the format version of archives, as the same input must give the same file.
import { writeFileSync } from "node:fs";
import { openDelta } from "../support/delta.ts";
import { deltaVectorInputs } from "../support/delta-inputs.ts";

const kernels = openDelta("release");
const vectors = deltaVectorInputs().map(({ name, references, page }) => {
  const delta = kernels.encode(page, references);
  if (delta === undefined) throw new Error(`${name}: the delta does not fit`);
  return { name, delta: Buffer.from(delta).toString("hex") };
});
writeFileSync(new URL("delta.json", import.meta.url), `${JSON.stringify(vectors, null, 2)}\n`);
