// Verifying with workers says what verifying in one thread says, word by word, of whole and of
// damaged archives.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, it } from "vitest";
import { verifyArchive } from "../../src/archive/verify.ts";
import { openTestEngine } from "../support/engine.ts";
import { temporaryFolder } from "../support/folder.ts";
import { wasmPath } from "../support/kernels.ts";
import { accessTo, sampleArchive } from "../support/samplearchive.ts";

const wasm = pathToFileURL(wasmPath("release"));

it.each([0, 2])("verify: %i threads find what the calling thread finds", async (threads) => {
  const engine = await openTestEngine({ threads });
  const path = join(temporaryFolder(), "A.pfa");
  const { bytes } = await sampleArchive(1);
  const places = Array.from({ length: 40 }, (_, i) => 8192 + i * 997);
  for (const at of [-1, ...places.filter((place) => place < bytes.length)]) {
    const archive = Buffer.from(bytes);
    if (at >= 0) archive[at] ^= 4;
    writeFileSync(path, archive);
    const { elapsedMs: _, ...found } = await engine.verify({ path });
    const { elapsedMs: __, ...expected } = await verifyArchive(accessTo(archive), path, {}, wasm);
    expect({ at, ...found }).toEqual({ at, ...expected });
    expect(found.intact).toBe(at < 0);
  }
});
