// Whole operations of the library with 1, 2, … workers: pack, and inspect, which is the survey and
// the tables alone. The engines stay open: what is measured is work, not starting threads.
import { mkdirSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";
import { type Engine, openEngine } from "pagefold";
import { digits, markdownTable } from "./markdown.ts";
import { median, relativeSpeed, speedOf, takeTurns } from "./measure.ts";

export interface ScalingResult {
  operation: string;
  threads: number;
  seconds: number;
  mibPerSecond: number;
  pagesPerSecond: number;
  /** Speed as a multiple of that of one worker. */
  timesOne: number;
  /** Bytes in for one byte of archive. */
  ratio?: number;
}

const PAGE_BYTES = 4096;

/** 1, 2, 4, … and the number of processors; two workers even where there is one processor. */
function workerCounts(): number[] {
  const most = Math.max(2, availableParallelism());
  const counts: number[] = [];
  for (let threads = 1; threads < most; threads *= 2) counts.push(threads);
  return [...counts, most];
}

export async function measureScaling(
  paths: readonly string[],
  folder: string,
  rounds: number,
): Promise<ScalingResult[]> {
  const inputs = paths.map((path, i) => ({ name: `${i}-${basename(path)}`, path }));
  const output = join(folder, "scaling", "gang.pfa");
  mkdirSync(join(folder, "scaling"));
  const counts = workerCounts();
  const engines = await Promise.all(counts.map((threads) => openEngine({ threads })));
  let outputBytes = 0;
  const pack = async (engine: Engine) => {
    const report = await engine.pack(inputs, { path: output, force: true });
    outputBytes = report.outputBytes;
    return report.inputBytes;
  };
  const inspect = async (engine: Engine) => {
    const { images } = await engine.inspect(inputs);
    return images.reduce((sum, { byteLength }) => sum + byteLength, 0);
  };
  try {
    const packed = await scale("pack", pack, counts, engines, rounds);
    return [
      ...packed.map((result) => ({
        ...result,
        ratio: (result.mibPerSecond * result.seconds * 1048576) / outputBytes,
      })),
      ...(await scale("inspect", inspect, counts, engines, rounds)),
    ];
  } finally {
    await Promise.all(engines.map((engine) => engine.close()));
    rmSync(join(folder, "scaling"), { recursive: true });
  }
}

async function scale(
  operation: string,
  run: (engine: Engine) => Promise<number>,
  counts: readonly number[],
  engines: readonly Engine[],
  rounds: number,
): Promise<ScalingResult[]> {
  const candidates = engines.map((engine, i) => ({
    name: `${operation}, ${counts[i]}`,
    run: () => run(engine),
  }));
  const timings = await takeTurns(candidates, rounds);
  return timings.map((timing, i) => ({
    operation,
    threads: counts[i],
    seconds: median(timing.elapsedMs) / 1000,
    mibPerSecond: speedOf(timing),
    pagesPerSecond: (speedOf(timing) * 1048576) / PAGE_BYTES,
    timesOne: relativeSpeed(timing, timings[0]),
  }));
}

export function scalingTable(results: readonly ScalingResult[]): string {
  return markdownTable(
    ["operation", "workers", "seconds", "MiB/s", "pages/s", "× 1 worker", "ratio"],
    results.map((result) => [
      result.operation,
      String(result.threads),
      digits(result.seconds),
      digits(result.mibPerSecond),
      result.pagesPerSecond.toFixed(0),
      digits(result.timesOne),
      digits(result.ratio),
    ]),
  );
}
