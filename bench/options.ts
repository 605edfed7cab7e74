// The words of the command line that both programs understand, and the folder they work in.
import { accessSync, constants, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

export interface BenchOptions {
  images: string[];
  /** A new folder below --dir. */
  folder: string;
  json: string | undefined;
  quick: boolean;
  runs: number | undefined;
  threads: number | undefined;
}

const SHARED_MEMORY = "/dev/shm";

export function readOptions(usage: string): BenchOptions | undefined {
  const { values, positionals } = parseArgs({
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
  if (values.help) {
    process.stdout.write(`${usage}\n`);
    return undefined;
  }
  return {
    images: positionals.map((path) => resolve(path)),
    folder: mkdtempSync(join(values.dir ?? defaultFolder(), "pagefold-bench-")),
    json: values.json,
    quick: values.quick,
    runs: countOf("--runs", values.runs),
    threads: countOf("--threads", values.threads),
  };
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
