// What migration between racks must reach against its rivals of the same run, and what it did.
import type { RackReport } from "../../scripts/vm/rackmove.ts";
import { median } from "../measure.ts";
import type { CoreState } from "./options.ts";
import { type RackTrial, ratioOf } from "./trial.ts";

export interface Mark {
  what: string;
  /** "≤ 0.2" and the like. */
  wanted: string;
  value: number;
  isReached: boolean;
}

type Figure = (report: RackReport) => number | undefined;

const bytes: Figure = ({ coreBytes }) => coreBytes;
const time: Figure = ({ totalMs }) => totalMs;
const flow: Figure = ({ flowMbit }) => flowMbit;

interface Wanted {
  what: string;
  figure: Figure;
  rival: string;
  core: CoreState;
  sign: "≤" | ">";
  bound: number;
}

const WANTED: readonly Wanted[] = [
  { what: "core bytes", figure: bytes, rival: "default", core: "idle", sign: "≤", bound: 0.2 },
  { what: "core bytes", figure: bytes, rival: "gang", core: "idle", sign: "≤", bound: 0.75 },
  { what: "total time", figure: time, rival: "default", core: "loaded", sign: "≤", bound: 0.6 },
  { what: "total time", figure: time, rival: "gang", core: "idle", sign: "≤", bound: 1.05 },
  { what: "other traffic", figure: flow, rival: "default", core: "loaded", sign: ">", bound: 1 },
  {
    what: "other traffic",
    figure: flow,
    rival: "multifd-zstd",
    core: "loaded",
    sign: ">",
    bound: 1,
  },
];

/** For a setting that shares a rack; a rival of a level is the gang of that level. */
export function marksOf(setting: string, trials: readonly RackTrial[]): Mark[] {
  if (!setting.startsWith("interrack")) return [];
  const level = setting.slice("interrack".length);
  const marks = WANTED.flatMap(({ what, figure, rival, core, sign, bound }): Mark[] => {
    const name = rival === "gang" ? `gang${level}` : rival;
    const ofCore = trials.filter((trial) => trial.core === core);
    const value = ratioOf(setting, name, figure, ofCore);
    if (value === undefined) return [];
    const isReached = sign === "≤" ? value <= bound : value > bound;
    const title = `${setting}: ${what} against ${name}, core ${core}`;
    return [{ what: title, wanted: `${sign} ${bound}`, value, isReached }];
  });
  const mine = trials.filter((trial) => trial.setting === setting);
  const compared = mine.flatMap(({ report }) => report?.differing ?? []);
  if (compared.length > 0) {
    const value = compared.reduce((a, b) => a + b, 0);
    const what = `${setting}: RAM pages that differ in ${compared.length} guests`;
    marks.push({ what, wanted: "≤ 0", value, isReached: value === 0 });
  }
  const repeats = mine.flatMap(({ report }) => (report ? (timesSent(report) ?? []) : []));
  if (repeats.length > 0) {
    const value = median(repeats);
    const what = `${setting}: times that a distinct page was sent`;
    marks.push({ what, wanted: "≤ 1.01", value, isReached: value <= 1.01 });
  }
  return marks;
}

/**
 * For each digest that the index knows, how often its content crossed the core because a host was
 * told to send it, or answered for a name that was not found. What hosts sent without asking, when
 * the index failed, is not known here.
 */
function timesSent({ shared, tunnels = [] }: RackReport): number | undefined {
  const index = shared?.index?.index;
  if (index === undefined || index.entries === 0) return undefined;
  const answered = tunnels.map(({ source }) => source.rack?.answered ?? 0);
  return answered.reduce((sum, count) => sum + count, index.ours) / index.entries;
}

export function markLine({ what, wanted, value, isReached }: Mark): string {
  return `${isReached ? "reached" : "MISSED "} ${what}: ${value.toFixed(3)} (${wanted})`;
}
