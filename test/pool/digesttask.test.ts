// The pages that a slab lists are digested under the key, in the order of the list.
import { blake3 } from "hash-wasm";
import { expect, it } from "vitest";
import { PAGE_BYTES } from "../../src/core/page.ts";
import { BATCH_PAGES, SLAB_BYTES, slabPart } from "../../src/core/slab.ts";
import { DIGEST_BYTES } from "../../src/kernels/abi.ts";
import { createContext, runTask } from "../../src/pool/run.ts";
import { scratchBytes } from "../../src/pool/scratch.ts";
import { FIRST_FREE_BYTE, openKernels } from "../support/kernels.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const SLAB = FIRST_FREE_BYTE;
const KEY = SLAB + SLAB_BYTES;
const SCRATCH = KEY + 64;

it("digesttask: digests as many pages as a slab can list", async () => {
  const random = seededRandom(randomSeed("digesttask"));
  const byteLength = SCRATCH + scratchBytes(1) - FIRST_FREE_BYTE;
  const { kernels, memory, bytes, view } = openKernels("debug", byteLength);
  const context = createContext(kernels, memory, SCRATCH, 1);
  const key = random.bytes(32);
  bytes.set(key, KEY);
  const pages = slabPart(SLAB, "pages");
  bytes.set(random.bytes(BATCH_PAGES * PAGE_BYTES), pages);
  const digests = slabPart(SLAB, "digests");
  for (const count of [0, 1, BATCH_PAGES]) {
    bytes.fill(0, digests, digests + BATCH_PAGES * DIGEST_BYTES);
    const list = Array.from({ length: count }, () => random.int(BATCH_PAGES));
    for (const [i, page] of list.entries()) {
      view.setUint32(slabPart(SLAB, "asked") + i * 4, page, true);
    }
    expect(runTask(context, { kind: "digest", slabPtr: SLAB, count, keyPtr: KEY })).toEqual({});
    for (const [i, page] of list.entries()) {
      const at = digests + i * DIGEST_BYTES;
      const got = Buffer.from(bytes.slice(at, at + DIGEST_BYTES)).toString("hex");
      const from = pages + page * PAGE_BYTES;
      expect(got).toBe(await blake3(bytes.slice(from, from + PAGE_BYTES), 256, key));
    }
    const rest = bytes.subarray(digests + count * DIGEST_BYTES, SLAB + SLAB_BYTES);
    expect(rest.every((byte) => byte === 0)).toBe(true);
  }
});
