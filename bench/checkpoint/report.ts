// The numbers of `bench:checkpoint` as they stand in its JSON, as tables, and beside what is
// demanded of them.
import type { Machine } from "../machine.ts";
import { digits, markdownTable } from "../markdown.ts";
import { median } from "../measure.ts";
import { chainName, DEFLATED } from "./chain.ts";
import type { Way } from "./epoch.ts";
import { DIFF_LIBRARY, DIFF_PROCESS, XDELTA, ZSTD } from "./files.ts";
import type { FloorResult } from "./floor.ts";

export interface EpochResult {
  name: string;
  way: Way;
  bytes: number;
  /** Of the runs, the median. */
  elapsedMs: number;
}

export interface EpochReport {
  older: string;
  newer: string;
  changedPages: number;
  changedBlocks: number;
  results: EpochResult[];
}

export interface CheckpointReport {
  schema: "pagefold/checkpoint/1";
  date: string;
  machine: Machine;
  quick: boolean;
  /** Undefined when the checkpoints were made for the run. */
  folder: string | undefined;
  threads: number;
  rounds: number;
  versions: Record<string, string>;
  epochs: EpochReport[];
  floor: FloorResult[];
}

const FINE = chainName(64, "deltas and sharing");
const FINE_PLAIN = chainName(64, "compressed");
const COARSE = chainName(4096, "compressed");

/** One line for those who wait. */
export function epochLine({ newer, changedPages, changedBlocks, results }: EpochReport): string {
  const sizes = [FINE, DIFF_LIBRARY, ZSTD, XDELTA].flatMap((name) => {
    const found = results.find((result) => result.name === name);
    return found ? [`${name} ${found.bytes}`] : [];
  });
  return `${newer}: ${changedPages} pages, ${changedBlocks} blocks: ${sizes.join(" · ")}`;
}

/** Medians over the epochs; ratios are the medians of the ratios within epochs. */
export function medianTable(epochs: readonly EpochReport[]): string {
  return markdownTable(
    ["one epoch", "how", "bytes", "× xdelta3", "ms"],
    epochs[0].results.map(({ name, way }) => {
      const own = epochs.map(({ results }) => resultOf(results, name) as EpochResult);
      const bytes = median(own.map((result) => result.bytes));
      return [
        name,
        way,
        bytes > 1 ? bytes.toFixed(0) : "",
        bytes > 1 ? digits(ratioOf(epochs, "bytes", name, XDELTA)) : "",
        digits(median(own.map(({ elapsedMs }) => elapsedMs))),
      ];
    }),
  );
}

/** What is demanded: `own` is at most (bytes) or at least (speed) so many times `other`. */
const MARKS: readonly [what: "bytes" | "speed", own: string, other: string, limit: number][] = [
  ["bytes", FINE, XDELTA, 1.5],
  ["bytes", FINE, ZSTD, 1],
  ["bytes", DIFF_LIBRARY, XDELTA, 1.5],
  ["bytes", DIFF_LIBRARY, ZSTD, 1],
  ["bytes", FINE_PLAIN, COARSE, 0.25],
  ["bytes", FINE, COARSE, 0.25],
  ["bytes", FINE, DEFLATED, 0.25],
  ["speed", FINE, XDELTA, 5],
  ["speed", FINE, ZSTD, 10],
  ["speed", DIFF_LIBRARY, XDELTA, 5],
  ["speed", DIFF_LIBRARY, ZSTD, 10],
  ["speed", DIFF_PROCESS, ZSTD, 4],
];

/** Medians over the epochs, and the worst one. */
export function marksTable(epochs: readonly EpochReport[]): string {
  const rows = MARKS.flatMap(([what, own, other, limit]) => {
    const ratios = ratiosOf(epochs, what, own, other);
    if (ratios.length === 0) return [];
    const worst = what === "bytes" ? Math.max(...ratios) : Math.min(...ratios);
    const wanted = `${what === "bytes" ? "≤" : "≥"} ${limit}`;
    return [[`${what} of ${own} : ${other}`, digits(median(ratios)), digits(worst), wanted]];
  });
  return markdownTable(["ratio", "median", "worst", "wanted"], rows);
}

function ratioOf(epochs: readonly EpochReport[], what: "bytes" | "speed", own: string, to: string) {
  const ratios = ratiosOf(epochs, what, own, to);
  return ratios.length > 0 ? median(ratios) : undefined;
}

/** Of each epoch; empty when one of the two was not measured. */
function ratiosOf(
  epochs: readonly EpochReport[],
  what: "bytes" | "speed",
  own: string,
  other: string,
): number[] {
  return epochs.flatMap(({ results }) => {
    const [a, b] = [resultOf(results, own), resultOf(results, other)];
    if (!a || !b) return [];
    return [what === "bytes" ? a.bytes / b.bytes : b.elapsedMs / a.elapsedMs];
  });
}

function resultOf(results: readonly EpochResult[], name: string): EpochResult | undefined {
  return results.find((result) => result.name === name);
}

export function floorTable(floor: readonly FloorResult[]): string {
  return markdownTable(
    ["", "MiB/s", "× copy"],
    floor.map(({ name, mibPerSecond, timesCopy }) => [
      name,
      digits(mibPerSecond),
      digits(timesCopy),
    ]),
  );
}
