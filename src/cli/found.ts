// The kinds of frames that pack counts, in the words of the user.
import type { FrameCounts } from "../index.ts";
import { formatBytes, formatPercent } from "./format.ts";

const PAGE_BYTES = 4096;

const KINDS: Record<keyof FrameCounts, string> = {
  zero: "zero",
  uniform: "uniform",
  duplicateInside: "duplicate, same image",
  duplicateAcross: "duplicate, other image",
  base: "in the base",
  similar: "similar",
  compressed: "compressed",
  raw: "raw",
};
const KEYS = Object.keys(KINDS) as (keyof FrameCounts)[];

export function totalCounts(images: readonly { counts: FrameCounts }[]): FrameCounts {
  const sum = (key: keyof FrameCounts) =>
    images.reduce((total, { counts }) => total + counts[key], 0);
  return Object.fromEntries(KEYS.map((key) => [key, sum(key)])) as unknown as FrameCounts;
}

/** Rows of kind, MiB and percent; kinds that do not occur are left out. */
export function countRows(counts: FrameCounts): string[][] {
  const frames = KEYS.reduce((total, key) => total + counts[key], 0);
  return KEYS.filter((key) => counts[key] > 0).map((key) => [
    `  ${KINDS[key]}`,
    formatBytes(counts[key] * PAGE_BYTES),
    formatPercent(counts[key], frames),
  ]);
}
