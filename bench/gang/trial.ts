// One migration of the gang as a measured fact, and the figures of many: medians, and ratios within
// rounds, so that a slow minute is slow for all.
import type { Gang } from "../../scripts/vm/gang.ts";
import type { MoveReport } from "../../scripts/vm/outcome.ts";
import { median } from "../measure.ts";
import type { Contender } from "./contenders.ts";

export interface Trial {
  mbit: number;
  setting: string;
  round: number;
  /** Whether the targets waited for their RAM to be compared; such a run is not timed. */
  isCompared: boolean;
  report?: MoveReport;
  /** Why it did not come to its end. */
  failure?: string;
}

export interface Figures {
  setting: string;
  timedRuns: number;
  failures: number;
  wireBytes: number;
  returnBytes: number;
  totalMs: number;
  /** Over all guests of all runs. */
  downtimeMs: number;
  worstDowntimeMs: number;
  qemuCpuSeconds: number;
  /** Of both ends together. */
  tunnelCpuSeconds: number | undefined;
  sourcePeakBytes: number | undefined;
  targetPeakBytes: number | undefined;
  comparedRuns: number;
  differingPages: number;
}

/** Moves the gang once; afterwards every guest must be alive, wherever it is. */
export async function runTrial(
  gang: Gang,
  { name, options }: Contender,
  { limitMs, ...facts }: Pick<Trial, "mbit" | "round" | "isCompared"> & { limitMs: number },
): Promise<Trial> {
  const trial: Trial = { ...facts, setting: name };
  const arrival = facts.isCompared ? "stays paused" : "starts";
  try {
    trial.report = await gang.migrate({ ...options, arrival }, limitMs);
  } catch (error) {
    trial.failure = error instanceof Error ? error.message : `${error}`;
  }
  await gang.expectAlive();
  return trial;
}

/** Undefined when no run of the setting came to its end. */
export function figuresOf(setting: string, trials: readonly Trial[]): Figures | undefined {
  const mine = trials.filter((trial) => trial.setting === setting);
  const timed = reportsOf(mine.filter(({ isCompared }) => !isCompared));
  if (timed.length === 0) return undefined;
  const compared = reportsOf(mine.filter(({ isCompared }) => isCompared));
  const downtimes = timed.flatMap(({ downtimesMs }) => downtimesMs);
  const ofTunnel = (value: (tunnel: NonNullable<MoveReport["tunnel"]>) => number) =>
    medianOf(timed.flatMap(({ tunnel }) => (tunnel ? [value(tunnel)] : [])));
  return {
    setting,
    timedRuns: timed.length,
    failures: mine.filter(({ failure }) => failure !== undefined).length,
    wireBytes: median(timed.map(({ wireBytes }) => wireBytes)),
    returnBytes: median(timed.map(({ returnBytes }) => returnBytes)),
    totalMs: median(timed.map(({ totalMs }) => totalMs)),
    downtimeMs: median(downtimes),
    worstDowntimeMs: Math.max(...downtimes),
    qemuCpuSeconds: median(timed.map(({ qemuCpuSeconds }) => qemuCpuSeconds)),
    tunnelCpuSeconds: ofTunnel(({ cpuSeconds }) => cpuSeconds),
    sourcePeakBytes: ofTunnel(({ sourcePeakBytes }) => sourcePeakBytes),
    targetPeakBytes: ofTunnel(({ targetPeakBytes }) => targetPeakBytes),
    comparedRuns: compared.length,
    differingPages: compared.flatMap(({ differing = [] }) => differing).reduce(sum, 0),
  };
}

/** The median over rounds of a figure of one setting divided by that of another. */
export function ratioOf(
  one: string,
  other: string,
  figure: (report: MoveReport) => number,
  trials: readonly Trial[],
): number | undefined {
  const timed = (setting: string) =>
    trials.filter((trial) => trial.setting === setting && !trial.isCompared);
  const ratios = timed(one).flatMap(({ round, report }) => {
    const peer = timed(other).find((trial) => trial.round === round)?.report;
    return report && peer ? [figure(report) / figure(peer)] : [];
  });
  return medianOf(ratios);
}

function reportsOf(trials: readonly Trial[]): MoveReport[] {
  return trials.flatMap(({ report }) => (report ? [report] : []));
}

function medianOf(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : median(values);
}

function sum(a: number, b: number): number {
  return a + b;
}
