// What both programs do around their measuring: read the command line, lend a folder that goes away
// again, even when they are interrupted, and write the numbers down.
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

export interface BenchOptions {
  images: string[];
  /** A new folder below --dir. */
  folder: string;
  quick: boolean;
  runs: number | undefined;
  threads: number | undefined;
}

const SHARED_MEMORY = "/dev/shm";

/** Reads the options, measures, and writes what `measure` resolves with to the file of --json. */
export async function runBench(
  usage: string,
  measure: (options: BenchOptions) => Promise<object>,
): Promise<void> {
  try {
    const { values, positionals } = readWords();
    if (values.help) {
      process.stdout.write(`${usage}\n`);
      return;
    }
    const options = {
      images: positionals.map((path) => resolve(path)),
      quick: values.quick,
      runs: countOf("--runs", values.runs),
      threads: countOf("--threads", values.threads),
    };
    const report = await inFolder(values.dir ?? defaultFolder(), (folder) =>
      measure({ ...options, folder }),
    );
    if (values.json) writeFileSync(values.json, `${JSON.stringify(report, undefined, 2)}\n`);
  } catch (error) {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : error}\n`);
    process.exitCode = 1;
  }
}

function readWords() {
  return parseArgs({
    allowPositionals: true,
    options: {
      dir: { type: "string" },
      json: { type: "string" },
      quick: { type: "boolean", default: false },
      runs: { type: "string" },
      threads: { type: "string", short: "T" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
}

/** The folder mostly lies in memory, so nothing may be left there. */
async function inFolder<T>(parent: string, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(parent, "pagefold-bench-"));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const onSignal = (signal: NodeJS.Signals) => {
    remove();
    process.exit(signal === "SIGINT" ? 130 : 143);
  };
  process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
  try {
    return await work(folder);
  } finally {
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
    remove();
  }
}

function countOf(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1) throw new Error(`${option}: ${text} is no count`);
  return count;
}

/** Memory, where there is a tmpfs: disks would hide what is compared. */
function defaultFolder(): string {
  try {
    accessSync(SHARED_MEMORY, constants.W_OK);
    return SHARED_MEMORY;
  } catch {
    return tmpdir();
  }
}
