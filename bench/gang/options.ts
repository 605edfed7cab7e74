// The command line of the gang bench.
import { parseArgs } from "node:util";
import { WORKLOADS, type Workload } from "../../scripts/vm/gang.ts";

export const USAGE = `npm run bench:gang -- [options]
  --mbit N,…        speeds of the link in Mbit/s (default: 1000,10000)
  --runs N          measured runs of each setting (default: 3)
  --settings S,…    of default, xbzrle, multifd-zstd, pagefold, and pagefold-LEVEL
                    (default: the first four)
  --workloads W,…   one guest each, of ${WORKLOADS.join(", ")} (default: redis,redis,nginx,churn)
  --memory MiB      of each guest (default: 256)
  --rate N          operations a second of each guest (default: the workload's own)
  --ws MiB          working set of each guest (default: a quarter of its memory)
  --settle S        seconds that guests work between two migrations (default: 3)
  --limit S         seconds after which a migration is given up (default: 120)
  --tunnel WORDS    more words for both ends of the tunnel, separated by blanks
  --no-compare      leaves out the second migration of each run, whose RAM is compared
  --json FILE       every single run as JSON as well`;

export interface GangBenchOptions {
  mbits: readonly number[];
  runs: number;
  /** Undefined: all there are. */
  settings: readonly string[] | undefined;
  workloads: readonly Workload[];
  memoryMiB: number;
  rate: number | undefined;
  ws: number | undefined;
  settleMs: number;
  limitMs: number;
  tunnelWords: readonly string[];
  compares: boolean;
  json: string | undefined;
}

/** Undefined when help was asked for. */
export function readOptions(): GangBenchOptions | undefined {
  const { values } = parseArgs({
    allowNegative: true,
    options: {
      mbit: { type: "string", default: "1000,10000" },
      runs: { type: "string", default: "3" },
      settings: { type: "string" },
      workloads: { type: "string", default: "redis,redis,nginx,churn" },
      memory: { type: "string", default: "256" },
      rate: { type: "string" },
      ws: { type: "string" },
      settle: { type: "string", default: "3" },
      limit: { type: "string", default: "120" },
      tunnel: { type: "string", default: "" },
      compare: { type: "boolean", default: true },
      json: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  return {
    mbits: values.mbit.split(",").map((text) => numberOf("--mbit", text)),
    runs: numberOf("--runs", values.runs),
    settings: values.settings?.split(","),
    workloads: values.workloads.split(",").map(workloadOf),
    memoryMiB: numberOf("--memory", values.memory),
    rate: values.rate === undefined ? undefined : numberOf("--rate", values.rate),
    ws: values.ws === undefined ? undefined : numberOf("--ws", values.ws),
    settleMs: 1000 * numberOf("--settle", values.settle),
    limitMs: 1000 * numberOf("--limit", values.limit),
    tunnelWords: values.tunnel.split(" ").filter(Boolean),
    compares: values.compare,
    json: values.json,
  };
}

function numberOf(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${option}: ${text} is no count`);
  return value;
}

function workloadOf(text: string): Workload {
  const found = WORKLOADS.find((workload) => workload === text);
  if (!found) throw new Error(`--workloads: ${text} is none of ${WORKLOADS.join(", ")}`);
  return found;
}
