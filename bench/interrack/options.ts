// The command line of the bench of racks.
import { parseArgs } from "node:util";
import type { FlowOptions } from "../../scripts/vm/flow.ts";
import { WORKLOADS, type Workload } from "../../scripts/vm/workguests.ts";

export const USAGE = `npm run bench:interrack -- [options]
  --hosts N         in each of the two racks (default: 3)
  --workloads W,…   one guest each on every host, of ${WORKLOADS.join(", ")}
                    (default: redis,nginx)
  --replicas W,…    those that have the same contents on every host (default: nginx)
  --memory MiB      of each guest (default: 160)
  --rate N          operations a second of each guest (default: 100)
  --ws MiB          working set of each guest (default: a quarter of its memory)
  --edge-mbit N     speed of the link of each host in Mbit/s (default: 1000)
  --core-mbit N,…   speeds of the link between the racks (default: 300)
  --cores C,…       of idle, loaded (default: both)
  --flow-mbit N     what the other traffic of a loaded core has to send (default: 0.6 of the core)
  --flow-streams N  TCP connections of it (default: 4)
  --runs N          measured runs of each setting (default: 3)
  --settings S,…    of default, xbzrle, multifd-zstd, gang, interrack, gang-LEVEL,
                    interrack-LEVEL (default: default,multifd-zstd,gang,interrack)
  --settle S        seconds that guests work between two migrations (default: 3)
  --limit S         seconds after which a migration is given up (default: 180)
  --tunnel WORDS    more words for both ends of the tunnels, separated by blanks (default:
                    --threads 1, because all hosts share the processors of this one)
  --no-compare      leaves out the second migration of each run, whose RAM is compared
  --json FILE       every single run as JSON as well`;

export type CoreState = "idle" | "loaded";

export interface InterrackOptions {
  hosts: number;
  workloads: readonly Workload[];
  replicas: readonly Workload[];
  memoryMiB: number;
  rate: number;
  ws: number | undefined;
  edgeMbit: number;
  coreMbits: readonly number[];
  cores: readonly CoreState[];
  flowMbit: number | undefined;
  flowStreams: number;
  runs: number;
  settings: readonly string[] | undefined;
  settleMs: number;
  limitMs: number;
  tunnelWords: readonly string[];
  compares: boolean;
  json: string | undefined;
}

const FLOW_PART = 0.6;

/** The other traffic over a core of this speed; undefined when it is idle. */
export function flowOf(
  core: CoreState,
  coreMbit: number,
  { flowMbit, flowStreams }: InterrackOptions,
): FlowOptions | undefined {
  if (core === "idle") return undefined;
  return { mbit: flowMbit ?? Math.round(FLOW_PART * coreMbit), streams: flowStreams };
}

/** Undefined when help was asked for. */
export function readOptions(): InterrackOptions | undefined {
  const { values } = parseArgs({
    allowNegative: true,
    options: {
      hosts: { type: "string", default: "3" },
      workloads: { type: "string", default: "redis,nginx" },
      replicas: { type: "string", default: "nginx" },
      memory: { type: "string", default: "160" },
      rate: { type: "string", default: "100" },
      ws: { type: "string" },
      "edge-mbit": { type: "string", default: "1000" },
      "core-mbit": { type: "string", default: "300" },
      cores: { type: "string", default: "idle,loaded" },
      "flow-mbit": { type: "string" },
      "flow-streams": { type: "string", default: "4" },
      runs: { type: "string", default: "3" },
      settings: { type: "string" },
      settle: { type: "string", default: "3" },
      limit: { type: "string", default: "180" },
      tunnel: { type: "string", default: "--threads 1" },
      compare: { type: "boolean", default: true },
      json: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  return {
    hosts: numberOf("--hosts", values.hosts),
    workloads: listOf("--workloads", values.workloads, WORKLOADS),
    replicas: listOf("--replicas", values.replicas, WORKLOADS),
    memoryMiB: numberOf("--memory", values.memory),
    rate: numberOf("--rate", values.rate),
    ws: optional("--ws", values.ws),
    edgeMbit: numberOf("--edge-mbit", values["edge-mbit"]),
    coreMbits: words(values["core-mbit"]).map((text) => numberOf("--core-mbit", text)),
    cores: listOf("--cores", values.cores, ["idle", "loaded"]),
    flowMbit: optional("--flow-mbit", values["flow-mbit"]),
    flowStreams: numberOf("--flow-streams", values["flow-streams"]),
    runs: numberOf("--runs", values.runs),
    settings: values.settings?.split(","),
    settleMs: 1000 * numberOf("--settle", values.settle),
    limitMs: 1000 * numberOf("--limit", values.limit),
    tunnelWords: values.tunnel.split(" ").filter(Boolean),
    compares: values.compare,
    json: values.json,
  };
}

function words(list: string): string[] {
  return list.split(",").filter(Boolean);
}

function optional(option: string, text: string | undefined): number | undefined {
  return text === undefined ? undefined : numberOf(option, text);
}

function numberOf(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${option}: ${text} is no count`);
  return value;
}

function listOf<Word extends string>(option: string, text: string, all: readonly Word[]): Word[] {
  return words(text).map((word) => {
    const found = all.find((one) => one === word);
    if (!found) throw new Error(`${option}: ${word} is none of ${all.join(", ")}`);
    return found;
  });
}
