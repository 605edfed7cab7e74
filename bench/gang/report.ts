// The figures of the gang bench as text, and the shape of its JSON.
import type { Machine } from "../machine.ts";
import { digits, markdownTable, mebibytes } from "../markdown.ts";
import { median } from "../measure.ts";
import type { GangBenchOptions } from "./options.ts";
import { type Figures, figuresOf, ratioOf, type Trial } from "./trial.ts";

export interface GangReport {
  schema: "pagefold/gang/1";
  date: string;
  machine: Machine;
  qemu: string;
  options: GangBenchOptions;
  links: { mbit: number; figures: Figures[] }[];
  trials: Trial[];
}

const HEAD = [
  "setting",
  "wire MiB",
  "back MiB",
  "total s",
  "downtime ms",
  "worst ms",
  "CPU s of QEMUs",
  "CPU s of tunnel",
  "peak MiB of tunnel",
  "RAM pages that differ",
  "runs",
];

export function linkTitle(mbit: number, { workloads, memoryMiB }: GangBenchOptions): string {
  const guests = `${workloads.length} guests of ${memoryMiB} MiB at once`;
  return `${guests} (${workloads.join(", ")}), ${mbit} Mbit/s`;
}

export function trialLine({ setting, isCompared, report, failure }: Trial): string {
  const name = `${setting}${isCompared ? ", compared" : ""}`;
  if (!report) return `${name}: ${failure}`;
  const { wireBytes, totalMs, downtimesMs, differing } = report;
  const found = differing
    ? `${differing.reduce((a, b) => a + b, 0)} pages differ`
    : `downtime ${downtimesMs.map((value) => value.toFixed(0)).join("/")} ms`;
  return `${name}: ${mebibytes(wireBytes)} MiB, ${(totalMs / 1000).toFixed(2)} s, ${found}`;
}

export function linkTable(figures: readonly Figures[]): string {
  return markdownTable(HEAD, figures.map(rowOf));
}

function rowOf(figures: Figures): string[] {
  const { sourcePeakBytes, targetPeakBytes, comparedRuns, timedRuns, failures } = figures;
  return [
    figures.setting,
    mebibytes(figures.wireBytes),
    mebibytes(figures.returnBytes),
    digits(figures.totalMs / 1000),
    digits(figures.downtimeMs),
    digits(figures.worstDowntimeMs),
    digits(figures.qemuCpuSeconds),
    digits(figures.tunnelCpuSeconds),
    sourcePeakBytes === undefined
      ? ""
      : `${mebibytes(sourcePeakBytes)} + ${mebibytes(targetPeakBytes)}`,
    comparedRuns === 0 ? "" : `${figures.differingPages} in ${comparedRuns} runs`,
    failures === 0 ? `${timedRuns}` : `${timedRuns}, ${failures} failed`,
  ];
}

/** What each setting takes of the others' bytes, time and downtime; one line for each pair. */
export function ratioLines(setting: string, others: readonly string[], trials: readonly Trial[]) {
  return others.flatMap((other) => {
    const wire = ratioOf(setting, other, ({ wireBytes }) => wireBytes, trials);
    const total = ratioOf(setting, other, ({ totalMs }) => totalMs, trials);
    const [mine, theirs] = [setting, other].map((name) => downtimesOf(name, trials));
    if (mine.length === 0 || theirs.length === 0) return [];
    const more = (median(mine) - median(theirs)).toFixed(0);
    const figures = `wire ${digits(wire)} ×, time ${digits(total)} ×, downtime ${more} ms more`;
    return [`${setting} against ${other}: ${figures}`];
  });
}

function downtimesOf(setting: string, trials: readonly Trial[]): number[] {
  const mine = trials.filter((trial) => trial.setting === setting);
  return mine.flatMap(({ report }) => report?.downtimesMs ?? []);
}

export function allFigures(settings: readonly string[], trials: readonly Trial[]): Figures[] {
  return settings.flatMap((setting) => figuresOf(setting, trials) ?? []);
}
