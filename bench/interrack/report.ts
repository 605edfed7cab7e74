// The figures of the bench of racks as text, and the shape of its JSON.
import type { RackReport } from "../../scripts/vm/rackmove.ts";
import type { Machine } from "../machine.ts";
import { digits, markdownTable, mebibytes } from "../markdown.ts";
import type { Mark } from "./marks.ts";
import type { CoreState, InterrackOptions } from "./options.ts";
import { figuresOf, type RackFigures, type RackTrial, ratioOf } from "./trial.ts";

export interface InterrackReport {
  schema: "pagefold/interrack/1";
  date: string;
  machine: Machine;
  qemu: string;
  options: InterrackOptions;
  links: { coreMbit: number; figures: RackFigures[]; ratios: Ratio[]; marks: Mark[] }[];
  trials: RackTrial[];
}

/** One figure of one setting against that of another. */
export interface Ratio {
  what: string;
  setting: string;
  other: string;
  ratio: number;
}

const HEAD = [
  "setting",
  "core MiB",
  "back MiB",
  "edges MiB",
  "index MiB",
  "store MiB",
  "total s",
  "downtime ms",
  "worst ms",
  "other traffic Mbit/s",
  "CPU s of QEMUs",
  "CPU s of tunnels",
  "peak MiB of a tunnel",
  "RAM pages that differ",
  "runs",
];

export function title(coreMbit: number, options: InterrackOptions): string {
  const { hosts, workloads, replicas, memoryMiB, edgeMbit } = options;
  const alike = workloads.map((one) =>
    replicas.includes(one) ? `${one} with the same site` : one,
  );
  return (
    `2 racks × ${hosts} hosts × ${workloads.length} guests of ${memoryMiB} MiB ` +
    `(${alike.join(", ")}), edges ${edgeMbit} Mbit/s, core ${coreMbit} Mbit/s`
  );
}

export function trialLine({ setting, core, isCompared, report, failure }: RackTrial): string {
  const name = `${setting}, core ${core}${isCompared ? ", compared" : ""}`;
  if (!report) return `${name}: ${failure}`;
  const { coreBytes, totalMs, downtimesMs, differing, flowMbit } = report;
  const found = differing
    ? `${differing.reduce((a, b) => a + b, 0)} pages differ`
    : `downtime ${downtimesMs.map((value) => value.toFixed(0)).join("/")} ms`;
  const flow = flowMbit === undefined ? "" : `, other traffic ${digits(flowMbit)} Mbit/s`;
  return `${name}: ${mebibytes(coreBytes)} MiB, ${(totalMs / 1000).toFixed(2)} s, ${found}${flow}`;
}

export function figuresTable(figures: readonly RackFigures[]): string {
  return markdownTable(HEAD, figures.map(rowOf));
}

function rowOf(figures: RackFigures): string[] {
  const { sourcePeakBytes, targetPeakBytes, comparedRuns, timedRuns, failures } = figures;
  return [
    figures.setting,
    mebibytes(figures.coreBytes),
    mebibytes(figures.coreReturnBytes),
    `${mebibytes(figures.edgeBytes)} + ${mebibytes(figures.arrivedBytes)}`,
    mebibytes(figures.indexBytes),
    mebibytes(figures.storeBytes),
    digits(figures.totalMs / 1000),
    digits(figures.downtimeMs),
    digits(figures.worstDowntimeMs),
    digits(figures.flowMbit),
    digits(figures.qemuCpuSeconds),
    digits(figures.tunnelCpuSeconds),
    sourcePeakBytes === undefined
      ? ""
      : `${mebibytes(sourcePeakBytes)} + ${mebibytes(targetPeakBytes)}`,
    comparedRuns === 0 ? "" : `${figures.differingPages} in ${comparedRuns} runs`,
    failures === 0 ? `${timedRuns}` : `${timedRuns}, ${failures} failed`,
  ];
}

export function allFigures(
  settings: readonly string[],
  core: CoreState,
  trials: readonly RackTrial[],
): RackFigures[] {
  return settings.flatMap((setting) => figuresOf(setting, core, trials) ?? []);
}

const MEASURES: readonly [string, (report: RackReport) => number | undefined][] = [
  ["core bytes", ({ coreBytes }) => coreBytes],
  ["total time", ({ totalMs }) => totalMs],
  ["other traffic", ({ flowMbit }) => flowMbit],
];

/** What the last setting has of each of the others, in rounds of the same core. */
export function ratiosOf(
  settings: readonly string[],
  core: CoreState,
  all: readonly RackTrial[],
): Ratio[] {
  const trials = all.filter((trial) => trial.core === core);
  const setting = settings.at(-1) ?? "";
  return settings.slice(0, -1).flatMap((other) =>
    MEASURES.flatMap(([what, figure]) => {
      const ratio = ratioOf(setting, other, figure, trials);
      return ratio === undefined ? [] : [{ what: `${what}, core ${core}`, setting, other, ratio }];
    }),
  );
}

export function ratioLine({ what, setting, other, ratio }: Ratio): string {
  return `${what}: ${setting} is ${digits(ratio)} × ${other}`;
}
