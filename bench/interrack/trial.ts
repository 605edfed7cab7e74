// One migration of a rack as a measured fact, and the figures of many: medians, and ratios within
// rounds, so that a slow minute is slow for all.
import { setTimeout as sleep } from "node:timers/promises";
import type { RackGang } from "../../scripts/vm/rackgang.ts";
import type { RackReport } from "../../scripts/vm/rackmove.ts";
import { median } from "../measure.ts";
import type { RackContender } from "./contenders.ts";
import { type CoreState, flowOf, type InterrackOptions } from "./options.ts";

export interface RackTrial {
  coreMbit: number;
  core: CoreState;
  setting: string;
  round: number;
  /** Whether the targets waited for their RAM to be compared; such a run is not timed. */
  isCompared: boolean;
  report?: RackReport;
  /** Why it did not come to its end. */
  failure?: string;
}

export interface RackFigures {
  core: CoreState;
  setting: string;
  timedRuns: number;
  failures: number;
  coreBytes: number;
  coreReturnBytes: number;
  edgeBytes: number;
  arrivedBytes: number;
  indexBytes: number;
  storeBytes: number;
  totalMs: number;
  /** Over all guests of all runs. */
  downtimeMs: number;
  worstDowntimeMs: number;
  /** What arrived of other traffic; undefined when there was none. */
  flowMbit: number | undefined;
  qemuCpuSeconds: number;
  /** Of both ends of all tunnels together. */
  tunnelCpuSeconds: number | undefined;
  /** Of the largest tunnel. */
  sourcePeakBytes: number | undefined;
  targetPeakBytes: number | undefined;
  comparedRuns: number;
  differingPages: number;
}

/** Moves the rack once; afterwards every guest must be alive, wherever it is. */
export async function runTrial(
  gang: RackGang,
  { name, options }: RackContender,
  facts: Pick<RackTrial, "coreMbit" | "core" | "round" | "isCompared">,
  bench: InterrackOptions,
): Promise<RackTrial> {
  const trial: RackTrial = { ...facts, setting: name };
  const arrival = facts.isCompared ? "stays paused" : "starts";
  const flow = flowOf(facts.core, facts.coreMbit, bench);
  await sleep(bench.settleMs);
  try {
    trial.report = await gang.migrate({ ...options, arrival, flow }, bench.limitMs);
  } catch (error) {
    trial.failure = error instanceof Error ? error.message : `${error}`;
  }
  await gang.expectAlive();
  return trial;
}

/** Undefined when no run of the setting came to its end. */
export function figuresOf(
  setting: string,
  core: CoreState,
  all: readonly RackTrial[],
): RackFigures | undefined {
  const mine = all.filter((trial) => trial.setting === setting && trial.core === core);
  const timed = reportsOf(mine.filter(({ isCompared }) => !isCompared));
  if (timed.length === 0) return undefined;
  const compared = reportsOf(mine.filter(({ isCompared }) => isCompared));
  const downtimes = timed.flatMap(({ downtimesMs }) => downtimesMs);
  const of = (value: (report: RackReport) => number) => median(timed.map(value));
  const ofSome = (value: (report: RackReport) => number | undefined) => {
    const values = timed.map(value).filter((one) => one !== undefined);
    return values.length === 0 ? undefined : median(values);
  };
  return {
    core,
    setting,
    timedRuns: timed.length,
    failures: mine.filter(({ failure }) => failure !== undefined).length,
    coreBytes: of(({ coreBytes }) => coreBytes),
    coreReturnBytes: of(({ coreReturnBytes }) => coreReturnBytes),
    edgeBytes: of(({ edgeBytes }) => edgeBytes),
    arrivedBytes: of(({ arrivedBytes }) => arrivedBytes),
    indexBytes: of(({ indexBytes }) => indexBytes),
    storeBytes: of(({ storeBytes }) => storeBytes),
    totalMs: of(({ totalMs }) => totalMs),
    downtimeMs: median(downtimes),
    worstDowntimeMs: Math.max(...downtimes),
    flowMbit: ofSome(({ flowMbit }) => flowMbit),
    qemuCpuSeconds: of(({ qemuCpuSeconds }) => qemuCpuSeconds),
    tunnelCpuSeconds: ofSome(({ tunnel }) => tunnel?.cpuSeconds),
    sourcePeakBytes: ofSome(({ tunnel }) => tunnel?.sourcePeakBytes),
    targetPeakBytes: ofSome(({ tunnel }) => tunnel?.targetPeakBytes),
    comparedRuns: compared.length,
    differingPages: compared.flatMap(({ differing = [] }) => differing).reduce(sum, 0),
  };
}

/** The median over rounds of a figure of one setting divided by that of another. */
export function ratioOf(
  one: string,
  other: string,
  figure: (report: RackReport) => number | undefined,
  trials: readonly RackTrial[],
): number | undefined {
  const timed = (setting: string) =>
    trials.filter((trial) => trial.setting === setting && !trial.isCompared);
  const ratios = timed(one).flatMap(({ round, report }) => {
    const peer = timed(other).find((trial) => trial.round === round)?.report;
    const [mine, theirs] = [report && figure(report), peer && figure(peer)];
    return mine === undefined || theirs === undefined ? [] : [mine / theirs];
  });
  return ratios.length === 0 ? undefined : median(ratios);
}

function reportsOf(trials: readonly RackTrial[]): RackReport[] {
  return trials.flatMap(({ report }) => (report ? [report] : []));
}

function sum(a: number, b: number): number {
  return a + b;
}
