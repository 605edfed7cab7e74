// The command line of the replication bench.
import { parseArgs } from "node:util";
import { WORKLOADS, type Workload } from "../../scripts/vm/gang.ts";

const CAPTURES = ["snapshot", "shared", "precopy"] as const;
const GRANULARITIES = ["block", "page"] as const;
const OUTPUTS = ["free", "held"] as const;

export type Capture = (typeof CAPTURES)[number];
export type Granularity = (typeof GRANULARITIES)[number];
export type Output = (typeof OUTPUTS)[number];

export const USAGE = `npm run bench:replicate -- [options]
  --workloads W,…      a guest each, one after another, of ${WORKLOADS.join(", ")} (default: redis)
  --intervals MS,…     from one epoch to the next (default: 50,100,200,500,1000)
  --captures C,…       of ${CAPTURES.join(", ")} (default: precopy)
  --granularities G,…  of ${GRANULARITIES.join(", ")} (default: both)
  --outputs O,…        what the guest sends, of ${OUTPUTS.join(", ")} (default: free)
  --qemu installed|10  (default: installed)
  --mbit N             speed of the link in Mbit/s (default: 1000)
  --runs N             rounds, in each of which every setting has its turn (default: 3)
  --seconds S          measured in each turn, without replication and with it (default: 8)
  --memory MiB         of the guest (default: 256)
  --rate N             operations a second that are asked for (default: the workload's own)
  --ws MiB             working set of the guest (default: a quarter of its memory)
  --dir DIR            where the backup keeps its directory (default: /dev/shm)
  --json FILE          every single turn as JSON as well`;

export interface ReplicateBenchOptions {
  workloads: readonly Workload[];
  intervalsMs: readonly number[];
  captures: readonly Capture[];
  granularities: readonly Granularity[];
  outputs: readonly Output[];
  isNewQemu: boolean;
  mbit: number;
  runs: number;
  measureMs: number;
  memoryMiB: number;
  rate: number | undefined;
  ws: number | undefined;
  directory: string;
  json: string | undefined;
}

/** Undefined when help was asked for. */
export function readOptions(): ReplicateBenchOptions | undefined {
  const { values } = parseArgs({
    options: {
      workloads: { type: "string", default: "redis" },
      intervals: { type: "string", default: "50,100,200,500,1000" },
      captures: { type: "string", default: "precopy" },
      granularities: { type: "string", default: GRANULARITIES.join(",") },
      outputs: { type: "string", default: "free" },
      qemu: { type: "string", default: "installed" },
      mbit: { type: "string", default: "1000" },
      runs: { type: "string", default: "3" },
      seconds: { type: "string", default: "8" },
      memory: { type: "string", default: "256" },
      rate: { type: "string" },
      ws: { type: "string" },
      dir: { type: "string", default: "/dev/shm" },
      json: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  return {
    workloads: listOf("--workloads", values.workloads, WORKLOADS),
    intervalsMs: values.intervals.split(",").map((text) => numberOf("--intervals", text)),
    captures: listOf("--captures", values.captures, CAPTURES),
    granularities: listOf("--granularities", values.granularities, GRANULARITIES),
    outputs: listOf("--outputs", values.outputs, OUTPUTS),
    isNewQemu: listOf("--qemu", values.qemu, ["installed", "10"])[0] === "10",
    mbit: numberOf("--mbit", values.mbit),
    runs: numberOf("--runs", values.runs),
    measureMs: 1000 * numberOf("--seconds", values.seconds),
    memoryMiB: numberOf("--memory", values.memory),
    rate: values.rate === undefined ? undefined : numberOf("--rate", values.rate),
    ws: values.ws === undefined ? undefined : numberOf("--ws", values.ws),
    directory: values.dir,
    json: values.json,
  };
}

function numberOf(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${option}: ${text} is no count`);
  return value;
}

function listOf<T extends string>(option: string, text: string, known: readonly T[]): T[] {
  return text.split(",").map((word) => {
    const found = known.find((one) => one === word);
    if (found !== undefined) return found;
    throw new Error(`${option}: ${word} is none of ${known.join(", ")}`);
  });
}
