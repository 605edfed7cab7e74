// The figures of the simulator as tables.
import { digits, markdownTable } from "../markdown.ts";
import type { Figures, Scenario } from "./scenario.ts";

export interface Outcome {
  readonly scenario: Scenario;
  readonly figures: readonly Figures[];
  /** What simulating it took. */
  readonly seconds: number;
}

export interface SimReport {
  readonly schema: "pagefold/sim/1";
  readonly statistics: string;
  readonly series: readonly { readonly title: string; readonly outcomes: readonly Outcome[] }[];
}

const HEAD = [
  "hosts",
  "racks",
  "core",
  "nodes",
  "way",
  "core GB",
  "× plain",
  "total s",
  "digests/s",
  "index busy",
  "puts/s",
  "look-ups/s",
  "store busy",
  "sent again",
  "unresolved",
  "1 :",
  "run s",
];

export function outcomeTable(outcomes: readonly Outcome[]): string {
  return markdownTable(HEAD, outcomes.flatMap(rowsOf));
}

function rowsOf({ scenario, figures, seconds }: Outcome): string[][] {
  const { hosts, racks, oversubscription, indexNodes, storeNodes, scale } = scenario;
  const plain = figures.find(({ way }) => way === "plain")?.coreBytes;
  return figures.map((one) => {
    const isRack = one.way === "rack";
    const ofRack = (text: string) => (isRack ? text : "");
    return [
      `${hosts}`,
      `${racks}`,
      `${oversubscription}:1`,
      ofRack(`${indexNodes}+${storeNodes}`),
      one.way,
      digits(one.coreBytes / 1e9),
      plain === undefined ? "" : digits(one.coreBytes / plain),
      digits(one.totalMs / 1000),
      ofRack(thousands(one.indexDigestsPerSecond)),
      ofRack(percent(one.indexBusy)),
      ofRack(thousands(one.storePutsPerSecond)),
      ofRack(thousands(one.storeGetsPerSecond)),
      ofRack(percent(one.storeBusy)),
      ofRack(`${(100 * one.raceRate).toFixed(2)} %`),
      ofRack(`${one.peakHeldPages}`),
      `${scale}`,
      isRack ? digits(seconds) : "",
    ];
  });
}

export function thousands(value: number): string {
  return `${digits(value / 1000)} k`;
}

function percent(part: number): string {
  return `${Math.round(100 * part)} %`;
}
