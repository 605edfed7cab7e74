// The figures of the replication bench as text, and the shape of its JSON.
import type { EpochReport } from "../../src/index.ts";
import type { Machine } from "../machine.ts";
import { digits, markdownTable } from "../markdown.ts";
import { median, quantile } from "../measure.ts";
import type { ReplicateBenchOptions } from "./options.ts";
import type { Setting, Trial, TrialReport } from "./trial.ts";

export interface ReplicateReport {
  schema: "pagefold/replicate-bench/1";
  date: string;
  machine: Machine;
  qemu: string;
  options: ReplicateBenchOptions;
  figures: Figures[];
  trials: Trial[];
}

/** Of all turns of a setting together: medians over epochs, or over turns. */
export interface Figures extends Setting {
  workload: string;
  runs: number;
  failures: number;
  wireBytes: number;
  pageCount: number;
  blockCount: number;
  pauseMs: number;
  pauseP99Ms: number;
  commitMs: number;
  commitP99Ms: number;
  epochsPerSecond: number;
  failoverMs: number;
  operationsPerSecond: number;
  /** Against the same guest just before, without replication. */
  operationsRatio: number;
  /** How long somebody outside waits for an answer: replicated, and not; of redis alone. */
  answerMs: number | undefined;
  answerP99Ms: number | undefined;
  plainAnswerMs: number | undefined;
  primaryCpuMs: number;
  backupCpuMs: number;
  qemuLoad: number;
  plainQemuLoad: number;
}

const HEAD = [
  "capture, interval, granularity",
  "KiB an epoch",
  "pages",
  "blocks",
  "type II ms (p99)",
  "commit ms (p99)",
  "epochs/s",
  "type I ms",
  "operations/s",
  "against none",
  "answer outside ms (p99; without)",
  "CPU ms an epoch, primary + backup",
  "load of QEMU (without)",
  "runs",
];

export const NOTES = `
Type I downtime: "primary crash -> VM serving from its last checkpoint at the backup"; type II:
"VM paused on the primary for a checkpoint -> resumed" (Lu and Ravindran, FGBI, OPODIS 2011; from
the pages of their project). Type I is measured from kill -9 of the guest's QEMU and pagefold to the
RESUME of a QEMU that waited at the backup, without the time to find out that a host has died; type
II by the STOP and RESUME events of QEMU. Commit: from the stop of the guest for
an epoch to the acknowledgement of the backup. Load: processors that are busy.`;

export function nameOf({ capture, intervalMs, granularity, output }: Setting): string {
  return `${capture}, ${intervalMs} ms, ${granularity}${output === "held" ? ", held" : ""}`;
}

export function trialLine(trial: Trial): string {
  const { report, failure } = trial;
  const name = `${trial.workload}: ${nameOf(trial)}`;
  if (!report) return `${name}: ${failure}`;
  const { epochs, failoverMs, operationsPerSecond, plainOperationsPerSecond } = report;
  if (epochs.length === 0) return `${name}: no epoch in ${digits(report.measuredMs)} ms`;
  const middle = (value: (epoch: EpochReport) => number) => digits(median(epochs.map(value)));
  return [
    `${name}: ${epochs.length} epochs`,
    `${middle(({ wireBytes }) => wireBytes / 1024)} KiB`,
    `paused ${middle(({ pauseMs }) => pauseMs)} ms`,
    `captured ${middle(({ captureMs }) => captureMs)} ms`,
    `durable ${middle(({ commitMs }) => commitMs)} ms`,
    `type I ${digits(failoverMs)} ms`,
    `answers in ${digits(report.client?.answerMs)} of ${digits(report.plainClient?.answerMs)} ms`,
    `operations ${digits(operationsPerSecond)} of ${digits(plainOperationsPerSecond)}`,
  ].join(", ");
}

export function table(figures: readonly Figures[]): string {
  return markdownTable(HEAD, figures.map(rowOf));
}

function rowOf(figures: Figures): string[] {
  const { runs, failures } = figures;
  return [
    nameOf(figures),
    digits(figures.wireBytes / 1024),
    figures.pageCount.toFixed(0),
    figures.blockCount.toFixed(0),
    `${digits(figures.pauseMs)} (${digits(figures.pauseP99Ms)})`,
    `${digits(figures.commitMs)} (${digits(figures.commitP99Ms)})`,
    digits(figures.epochsPerSecond),
    digits(figures.failoverMs),
    digits(figures.operationsPerSecond),
    digits(figures.operationsRatio),
    answersOf(figures),
    `${digits(figures.primaryCpuMs)} + ${digits(figures.backupCpuMs)}`,
    `${digits(figures.qemuLoad)} (${digits(figures.plainQemuLoad)})`,
    failures === 0 ? `${runs}` : `${runs}, ${failures} failed`,
  ];
}

function answersOf({ answerMs, answerP99Ms, plainAnswerMs }: Figures): string {
  if (answerMs === undefined) return "";
  return `${digits(answerMs)} (${digits(answerP99Ms)}; ${digits(plainAnswerMs)})`;
}

/** Undefined when no turn of the setting had an epoch. */
export function figuresOf(trials: readonly Trial[]): Figures | undefined {
  const reports = trials.flatMap(({ report }) => report ?? []);
  const epochs = reports.flatMap((report) => report.epochs);
  if (epochs.length === 0) return undefined;
  const [{ workload, capture, intervalMs, granularity, output }] = trials;
  const clients = reports.flatMap(({ client }) => client ?? []);
  const plainClients = reports.flatMap(({ plainClient }) => plainClient ?? []);
  const medianOf = (values: number[]) => (values.length === 0 ? undefined : median(values));
  const of = (value: (epoch: EpochReport) => number, part = 0.5): number =>
    quantile(epochs.map(value), part);
  const ofTurn = (value: (report: TrialReport) => number): number => median(reports.map(value));
  const perEpoch = (load: number, { measuredMs, epochs: { length } }: TrialReport): number =>
    (load * measuredMs) / Math.max(1, length);
  return {
    ...{ workload, capture, intervalMs, granularity, output },
    runs: reports.length,
    failures: trials.length - reports.length,
    wireBytes: of(({ wireBytes }) => wireBytes),
    pageCount: of(({ pageCount }) => pageCount),
    blockCount: of(({ blockCount }) => blockCount),
    pauseMs: of(({ pauseMs }) => pauseMs),
    pauseP99Ms: of(({ pauseMs }) => pauseMs, 0.99),
    commitMs: of(({ commitMs }) => commitMs),
    commitP99Ms: of(({ commitMs }) => commitMs, 0.99),
    epochsPerSecond: ofTurn((report) => (1000 * report.epochs.length) / report.measuredMs),
    failoverMs: ofTurn(({ failoverMs }) => failoverMs),
    operationsPerSecond: ofTurn(({ operationsPerSecond: now = 0 }) => now),
    operationsRatio: ofTurn(
      ({ operationsPerSecond: now = 0, plainOperationsPerSecond: plain = 0 }) => now / plain,
    ),
    answerMs: medianOf(clients.map(({ answerMs }) => answerMs)),
    answerP99Ms: medianOf(clients.map(({ answerP99Ms }) => answerP99Ms)),
    plainAnswerMs: medianOf(plainClients.map(({ answerMs }) => answerMs)),
    primaryCpuMs: ofTurn((report) => perEpoch(report.load.primary, report)),
    backupCpuMs: ofTurn((report) => perEpoch(report.load.backup, report)),
    qemuLoad: ofTurn(({ load }) => load.qemu),
    plainQemuLoad: ofTurn(({ plainQemuLoad }) => plainQemuLoad),
  };
}

/** What blocks take of the bytes and the time of pages, within rounds; a line for each interval. */
export function ratioLines(trials: readonly Trial[]): string[] {
  const groupOf = (trial: Trial): string => {
    const { capture, intervalMs, output } = trial;
    return `${capture}, ${intervalMs} ms, ${output}`;
  };
  return [...new Set(trials.map(groupOf))].flatMap((name) => {
    const mine = trials.filter((one) => name === groupOf(one));
    const pairs = mine.flatMap(({ round, granularity, report: block }) => {
      const page = mine.find((one) => one.round === round && one.granularity === "page")?.report;
      const isPair = granularity === "block" && block?.epochs.length && page?.epochs.length;
      return isPair ? [{ block: block.epochs, page: page.epochs }] : [];
    });
    if (pairs.length === 0) return [];
    const ratio = (value: (epoch: EpochReport) => number): string =>
      digits(
        median(
          pairs.map(({ block, page }) => {
            return median(block.map(value)) / median(page.map(value));
          }),
        ),
      );
    const wire = ratio(({ wireBytes }) => wireBytes);
    const commit = ratio(({ commitMs }) => commitMs);
    return [`${name}: blocks against pages: bytes ${wire} ×, commit ${commit} ×`];
  });
}
