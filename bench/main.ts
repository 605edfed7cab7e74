// npm run bench -- [IMAGE…]: what each kernel costs, how the library scales with workers, how long
// a random page takes, and how much memory packing needs. See bench/README.md.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { checkImages, readPages, writeGang } from "./corpus.ts";
import { type KernelsReport, kernelsTable, measureKernels, nativeLine } from "./kernels.ts";
import { type LatencyResult, latencyTable, measureLatency } from "./latency.ts";
import { describeMachine, type Machine, machineLine } from "./machine.ts";
import { type BenchOptions, runBench } from "./options.ts";
import { peakLine, peakMemory } from "./process.ts";
import { measureScaling, type ScalingResult, scalingTable } from "./scaling.ts";

export interface BenchReport {
  schema: "pagefold/bench/1";
  date: string;
  machine: Machine;
  quick: boolean;
  /** Undefined when the images were made for the run. */
  images: string[] | undefined;
  kernels: KernelsReport;
  scaling: ScalingResult[];
  latency: LatencyResult[];
  packPeakBytes: number;
}

const USAGE = `npm run bench -- [IMAGE…]
  --dir DIR     where files are written (default: /dev/shm, or the folder for temporary files)
  --runs N      measured rounds (default: 15 for kernels, 5 for the rest)
  --json FILE   the numbers as JSON as well
  --quick       a few seconds on small images: shows that it works, measures nothing`;
const FULL = {
  imagePages: 16_384,
  kernelPages: 16_384,
  kernelRounds: 15,
  nativeSeconds: 2,
  rounds: 5,
  reads: 2500,
};
const QUICK: typeof FULL = {
  imagePages: 512,
  kernelPages: 256,
  kernelRounds: 1,
  nativeSeconds: 0,
  rounds: 1,
  reads: 100,
};
const CLI = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function measureAll(options: BenchOptions): Promise<BenchReport> {
  const { folder, quick, runs } = options;
  const size = quick ? QUICK : FULL;
  const rounds = runs ?? size.rounds;
  const machine = describeMachine();
  say(`${machineLine(machine)}\n`);
  checkImages(options.images);
  const isOwn = options.images.length === 0;
  const images = isOwn ? writeGang(folder, 4, size.imagePages) : options.images;
  const pages = readPages(images, size.kernelPages);
  const kernelRounds = runs ?? size.kernelRounds;
  const kernels = await measureKernels(pages, folder, kernelRounds, size.nativeSeconds);
  say(`${kernelsTable(kernels)}\n\n${nativeLine(kernels)}\n`);
  const scaling = await measureScaling(images, folder, rounds);
  say(`${scalingTable(scaling)}\n`);
  const latency = await measureLatency(images, folder, size.reads);
  say(`${latencyTable(latency)}\n`);
  const packPeakBytes = await peakMemory({
    program: process.execPath,
    words: [CLI, "pack", "-q", ...images, "-o", join(folder, "peak.pfa")],
  });
  say(peakLine(packPeakBytes));
  return {
    schema: "pagefold/bench/1",
    date: new Date().toISOString(),
    machine,
    quick,
    images: isOwn ? undefined : images,
    kernels,
    scaling,
    latency,
    packPeakBytes,
  };
}

await runBench(USAGE, measureAll);
