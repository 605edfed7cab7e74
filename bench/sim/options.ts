// The command line of the simulator, and the scenarios that it means.
import { parseArgs } from "node:util";
import type { Scenario } from "./scenario.ts";

export const USAGE = `npm run bench:sim -- [options]
  --hosts N,…        hosts that are emptied, in racks of 40 (default: 10,30,100,300,1000)
  --over N,…         oversubscriptions of the core, for --hosts-over hosts (default: 1,2,4,10)
  --hosts-over N     (default: 100)
  --nodes N,…        nodes of each index and store, for 40 hosts (default: 1,2,4,8)
  --guests N         of each host (default: 2)
  --kinds N          of work in the fleet (default: 8)
  --aligned          guests have what they share in the same order
  --edge-mbit N      links of hosts (default: 1000)
  --service-mbit N   link of each node of an index or a store (default: 10000)
  --core-load P      per cent of the core that others use (default: 0)
  --shared-index     one index for all racks instead of one for each
  --scale N          pages that one of the simulation stands for (default: 4 to 64, by hosts)
  --seed N           (default: 1)
  --quick            10 hosts and one oversubscription
  --statistics FILE  of pages (default: bench/sim/statistics.json)
  --picture FILE     the figures as a page of HTML
  --json FILE        the figures as JSON
  --validate FILE    instead: what the simulator says of the JSON of bench:interrack
  --make-statistics FILE WORK=IMAGE…
                     instead: takes statistics from raw images of guests`;

export interface Series {
  readonly title: string;
  readonly scenarios: readonly Scenario[];
}

export interface SimOptions {
  readonly series: readonly Series[];
  readonly statistics: string | undefined;
  readonly picture: string | undefined;
  readonly json: string | undefined;
  readonly validate: string | undefined;
  readonly makeStatistics: string | undefined;
  readonly images: readonly string[];
}

const RACK_HOSTS = 40;
const OVERSUBSCRIPTION = 4;
/** Of each index and store: enough for a rack, see docs/interrack.md. */
const NODES = 4;
/** What a tunnel of 256 MiB holds: a sixteenth of its memory. */
const HELD_PAGES = 4096;

export const DEFAULTS: Omit<Scenario, "racks" | "hosts" | "scale"> = {
  guestsPerHost: 2,
  kinds: 8,
  isUniform: false,
  isAligned: false,
  edgeMbit: 1000,
  oversubscription: OVERSUBSCRIPTION,
  serviceMbit: 10_000,
  coreLoad: 0,
  cores: 4,
  isIndexShared: false,
  indexNodes: NODES,
  storeNodes: NODES,
  heldPages: HELD_PAGES,
  seed: 1,
};

type Words = ReturnType<typeof readWords>["values"];

function readWords() {
  return parseArgs({
    allowPositionals: true,
    options: {
      hosts: { type: "string", default: "10,30,100,300,1000" },
      over: { type: "string", default: "1,2,4,10" },
      "hosts-over": { type: "string", default: "100" },
      nodes: { type: "string", default: "1,2,4,8" },
      guests: { type: "string", default: "2" },
      kinds: { type: "string", default: "8" },
      aligned: { type: "boolean", default: false },
      "edge-mbit": { type: "string", default: "1000" },
      "service-mbit": { type: "string", default: "10000" },
      "core-load": { type: "string", default: "0" },
      "shared-index": { type: "boolean", default: false },
      scale: { type: "string" },
      seed: { type: "string", default: "1" },
      quick: { type: "boolean", default: false },
      statistics: { type: "string" },
      picture: { type: "string" },
      json: { type: "string" },
      validate: { type: "string" },
      "make-statistics": { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
}

/** Undefined when help was asked for. */
export function readOptions(): SimOptions | undefined {
  const { values, positionals } = readWords();
  if (values.help) return undefined;
  const { statistics, picture, json, validate } = values;
  return {
    series: seriesOf(values),
    ...{ statistics, picture, json, validate },
    makeStatistics: values["make-statistics"],
    images: positionals,
  };
}

function seriesOf(values: Words): Series[] {
  const shared = {
    ...DEFAULTS,
    guestsPerHost: numberOf("--guests", values.guests),
    kinds: numberOf("--kinds", values.kinds),
    isAligned: values.aligned,
    edgeMbit: numberOf("--edge-mbit", values["edge-mbit"]),
    serviceMbit: numberOf("--service-mbit", values["service-mbit"]),
    coreLoad: numberOf("--core-load", values["core-load"], 0) / 100,
    isIndexShared: values["shared-index"],
    seed: numberOf("--seed", values.seed, 0),
  };
  const scale = values.scale === undefined ? undefined : numberOf("--scale", values.scale);
  const of = (hosts: number, more: Partial<Scenario> = {}): Scenario => ({
    ...shared,
    racks: 2 * Math.ceil(hosts / RACK_HOSTS),
    hosts,
    scale: scale ?? scaleOf(hosts),
    ...more,
  });
  if (values.quick) return [{ title: "hosts", scenarios: [of(10, { scale: 32 })] }];
  const list = (option: "hosts" | "over" | "nodes") =>
    values[option]
      .split(",")
      .filter(Boolean)
      .map((text) => numberOf(`--${option}`, text));
  const overHosts = numberOf("--hosts-over", values["hosts-over"]);
  const over = (oversubscription: number) => of(overHosts, { oversubscription });
  const nodes = (count: number) => of(RACK_HOSTS, { indexNodes: count, storeNodes: count });
  const all = [
    { title: "hosts", scenarios: list("hosts").map((hosts) => of(hosts)) },
    { title: "oversubscription", scenarios: list("over").map(over) },
    { title: "nodes", scenarios: list("nodes").map(nodes) },
  ];
  return all.filter(({ scenarios }) => scenarios.length > 0);
}

/** So that the largest takes a minute or two. */
function scaleOf(hosts: number): number {
  if (hosts <= 10) return 4;
  if (hosts <= 40) return 8;
  if (hosts <= 100) return 16;
  return hosts <= 300 ? 32 : 64;
}

function numberOf(option: string, text: string, least = 1): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new Error(`${option}: ${text} is no count`);
}
