// The numbers of `bench:peers` as they stand in its JSON, and as tables.
import type { Machine } from "../machine.ts";
import { digits, markdownTable, mebibytes } from "../markdown.ts";
import type { ToolResult } from "./contest.ts";

export interface SetReport {
  set: string;
  imageCount: number;
  byteLength: number;
  tools: ToolResult[];
}

export interface PeersReport {
  schema: "pagefold/peers/1";
  date: string;
  machine: Machine;
  quick: boolean;
  /** Undefined when the images were made for the run. */
  images: string[] | undefined;
  threads: number;
  /** Whether all tools were held to as many processors as they have threads. */
  isPinned: boolean;
  rounds: number;
  /** First line of what each tool says of its version. */
  versions: Record<string, string>;
  sets: SetReport[];
  scan: ScanReport;
}

/** `pagefold inspect` of all images against `cat` of them to /dev/null. */
export interface ScanReport {
  catSeconds: number;
  inspectSeconds: number;
  /** Time of `inspect` as a multiple of that of `cat`. */
  timesCat: number;
}

const COLUMNS = ["pack s", "×", "MiB", "×", "unpack s", "×", "page ms", "pack peak", "unpack peak"];

export function setTable({ tools }: SetReport): string {
  return markdownTable(
    ["tool", ...COLUMNS],
    tools.map((result) => [
      result.tool,
      digits(result.packSeconds),
      digits(result.packTimes),
      mebibytes(result.storedBytes),
      digits(result.sizeTimes),
      digits(result.unpackSeconds),
      digits(result.unpackTimes),
      digits(result.pageMs),
      mebibytes(result.packPeakBytes),
      mebibytes(result.unpackPeakBytes),
    ]),
  );
}

export function setTitle({ set, imageCount, byteLength }: SetReport): string {
  return `${set}: ${imageCount} file${imageCount > 1 ? "s" : ""}, ${mebibytes(byteLength)} MiB`;
}

export function scanLine({ catSeconds, inspectSeconds, timesCat }: ScanReport): string {
  const times = `${digits(timesCat)} times`;
  return `inspect: ${digits(inspectSeconds)} s, ${times} cat's ${digits(catSeconds)} s`;
}
