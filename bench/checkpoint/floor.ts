// What an unchanged image costs, against a plain copy of as many bytes: nothing can be faster than
// reading and comparing, and nearly all pages of a guest are unchanged.
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { PAGE_BYTES } from "../../src/core/page.ts";
import { compileKernels, createMemory, instantiateKernels } from "../../src/kernels/load.ts";
import { instantiateCopy } from "../copy.ts";
import { relativeSpeed, speedOf, takeTurns } from "../measure.ts";
import type { Chain } from "./chain.ts";
import type { Files } from "./files.ts";

export interface FloorResult {
  name: string;
  mibPerSecond: number;
  /** Speed as a multiple of that of the copy. */
  timesCopy: number;
}

export const KERNEL = "diff kernel, two images in memory";
export const UNCHANGED_CHAIN = "unchanged image: one file and memory, 1 thread";
export const UNCHANGED_FILES = "unchanged image: two files, library";

/** The first 64 KiB belong to the module. */
const PAGES_PTR = 65536;
const COPY_BYTES = 64 << 20;
/** Short runs are noise: more of them than of the rest. */
const ROUNDS_TIMES = 3;

export async function measureFloor(
  path: string,
  chain: Chain,
  files: Files,
  rounds: number,
): Promise<FloorResult[]> {
  const byteLength = statSync(path).size;
  const partBytes = Math.min(COPY_BYTES, byteLength);
  const masksPtr = PAGES_PTR + 2 * partBytes;
  const memory = createMemory(masksPtr + (partBytes / PAGE_BYTES) * 8);
  // Memory that nobody has written to is one page of the system, over and over.
  const file = openSync(path, "r");
  readSync(file, new Uint8Array(memory.buffer, PAGES_PTR, partBytes));
  closeSync(file);
  const kernels = instantiateKernels(compileKernels(), memory);
  const wasmCopy = instantiateCopy(memory);
  const otherPtr = PAGES_PTR + partBytes;
  const times = Math.ceil(byteLength / partBytes);
  const overall = (part: () => void) => () => {
    for (let i = 0; i < times; i++) part();
    return times * partBytes;
  };
  const candidates = [
    { name: "memory.copy", run: overall(() => wasmCopy(otherPtr, PAGES_PTR, partBytes)) },
    {
      name: KERNEL,
      run: overall(() => kernels.diff(PAGES_PTR, otherPtr, partBytes / PAGE_BYTES, masksPtr)),
    },
    {
      name: UNCHANGED_CHAIN,
      run() {
        chain.read(path);
        return byteLength;
      },
    },
    {
      name: UNCHANGED_FILES,
      async run() {
        await files.compareWithItself(path);
        return byteLength;
      },
    },
  ];
  const timings = await takeTurns(candidates, ROUNDS_TIMES * rounds);
  return timings.map((timing) => ({
    name: timing.name,
    mibPerSecond: speedOf(timing),
    timesCopy: relativeSpeed(timing, timings[0]),
  }));
}
