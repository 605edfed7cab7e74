// Every kernel against a plain copy of the same pages, and against what libraries offer. Each is
// measured in turn with the copy, so that the ratio outlives a noisy machine.
import { PAGE_BYTES } from "../src/core/page.ts";
import { compileKernels, createMemory, instantiateKernels } from "../src/kernels/load.ts";
import { instantiateCopy } from "./copy.ts";
import { benches as anchorsBenches } from "./kernels/anchors.bench.ts";
import { benches as anchorTableBenches } from "./kernels/anchortable.bench.ts";
import type { KernelBench } from "./kernels/bench.ts";
import { benches as blake3Benches } from "./kernels/blake3.bench.ts";
import { benches as checksumBenches } from "./kernels/checksum.bench.ts";
import { benches as compareBenches } from "./kernels/compare.bench.ts";
import { benches as deltaBenches } from "./kernels/delta.bench.ts";
import { benches as diffBenches } from "./kernels/diff.bench.ts";
import { benches as entropyBenches } from "./kernels/entropy.bench.ts";
import { benches as lz4Benches } from "./kernels/lz4.bench.ts";
import { benches as surveyBenches } from "./kernels/survey.bench.ts";
import { benches as tableBenches } from "./kernels/table.bench.ts";
import { benches as windowsBenches } from "./kernels/windows.bench.ts";
import { openLibraries } from "./libraries.ts";
import { digits, markdownTable } from "./markdown.ts";
import { quantile, relativeSpeed, speedOf, takeTurns } from "./measure.ts";
import { measureNativeLz4, type NativeSpeed } from "./nativelz4.ts";

export interface KernelResult {
  name: string;
  /** At the median. */
  mibPerSecond: number;
  pagesPerSecond: number;
  /** Speed as a multiple of that of the copy; native programs: of their best to the copy's best. */
  timesCopy: number;
  /** Bytes in for one byte out, of compressors. */
  ratio?: number;
}

export interface KernelsReport {
  /** Pages measured on; none of them is all zero. */
  pageCount: number;
  results: KernelResult[];
  /** Best of our runs against best of the runs of the `lz4` command, where there is one. */
  timesNative: { name: string; times: number }[];
}

const BENCHES: KernelBench[] = [
  ...surveyBenches,
  ...entropyBenches,
  ...anchorsBenches,
  ...checksumBenches,
  ...blake3Benches,
  ...compareBenches,
  ...diffBenches,
  ...windowsBenches,
  ...deltaBenches,
  ...lz4Benches,
  ...tableBenches,
  ...anchorTableBenches,
];
/** The first 64 KiB belong to the module. */
const PAGES_PTR = 65536;
const SPARE_BYTES = 16 << 20;

interface Measured {
  result: KernelResult;
  /** MiB/s of the fastest run. */
  best: number;
}

type Run = () => number;

/** Measures one run in turn with the copy of all pages. */
async function measure(
  name: string,
  run: Run,
  copy: Run,
  rounds: number,
  storedBytes: (() => number) | undefined,
): Promise<Measured> {
  const candidates = [
    { name: "copy", run: copy },
    { name, run },
  ];
  const [floor, own] = await takeTurns(candidates, rounds);
  const mibPerSecond = speedOf(own);
  return {
    result: {
      name,
      mibPerSecond,
      pagesPerSecond: (mibPerSecond * 1048576) / PAGE_BYTES,
      timesCopy: relativeSpeed(own, floor),
      ...(storedBytes && { ratio: own.bytes / storedBytes() }),
    },
    best: own.bytes / 1048576 / (quantile(own.elapsedMs, 0) / 1000),
  };
}

/**
 * All kernels, libraries and the native LZ4 over `pages`, whose files go to `folder`. In memory the
 * pages stand first, then what the copy writes, then what the benches write.
 */
export async function measureKernels(
  pages: Uint8Array,
  folder: string,
  rounds: number,
  nativeSeconds: number,
): Promise<KernelsReport> {
  const memory = createMemory(PAGES_PTR + 3 * pages.length + SPARE_BYTES);
  const bytes = new Uint8Array(memory.buffer);
  bytes.set(pages, PAGES_PTR);
  const kernels = instantiateKernels(compileKernels(), memory);
  const wasmCopy = instantiateCopy(memory);
  const place = { ptr: PAGES_PTR, count: pages.length / PAGE_BYTES };
  const copy = () => {
    wasmCopy(PAGES_PTR + pages.length, PAGES_PTR, pages.length);
    return pages.length;
  };
  const measured = [await measure("memory.copy", copy, copy, rounds, undefined)];
  for (const bench of BENCHES) {
    const run = bench.prepare(kernels, bytes, place, PAGES_PTR + 2 * pages.length);
    measured.push(await measure(bench.name, run, copy, rounds, bench.storedBytes));
  }
  for (const { name, run, storedBytes } of await openLibraries()) {
    measured.push(await measure(name, () => run(pages), copy, rounds, storedBytes));
  }
  const natives = measureNativeLz4(pages, folder, nativeSeconds);
  return {
    pageCount: place.count,
    results: [...measured.map(({ result }) => result), ...natives.map(nativeResult(measured[0]))],
    timesNative: natives.map(({ kernel, mibPerSecond }) => {
      const own = measured.find(({ result }) => result.name === kernel);
      if (!own) throw new Error(`there is no bench ${kernel}`);
      return { name: kernel, times: own.best / mibPerSecond };
    }),
  };
}

/** The `lz4` command tells its best run, which stands against the best run of the copy. */
function nativeResult(copy: Measured): (native: NativeSpeed) => KernelResult {
  return ({ name, mibPerSecond, ratio }) => ({
    name,
    mibPerSecond,
    pagesPerSecond: (mibPerSecond * 1048576) / PAGE_BYTES,
    timesCopy: mibPerSecond / copy.best,
    ...(ratio === undefined ? {} : { ratio }),
  });
}

export function kernelsTable({ results }: KernelsReport): string {
  return markdownTable(
    ["kernel", "MiB/s", "pages/s", "× copy", "ratio"],
    results.map((result) => [
      result.name,
      digits(result.mibPerSecond),
      result.pagesPerSecond.toFixed(0),
      digits(result.timesCopy),
      digits(result.ratio),
    ]),
  );
}

export function nativeLine({ timesNative }: KernelsReport): string {
  if (timesNative.length === 0) return "There is no `lz4` command here to compare with.";
  const parts = timesNative.map(({ name, times }) => `${name} ${digits(times)}`);
  return `Best runs as a multiple of native liblz4: ${parts.join(" · ")}`;
}
