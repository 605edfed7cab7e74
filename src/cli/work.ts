// Runs one long operation for a verb: opens the engine as the options say, shows progress, collects
// warnings, and closes everything whatever happens.
import { type Engine, type OperationOptions, openEngine } from "../index.ts";
import { interrupt } from "./interrupt.ts";
import type { WorkOptions } from "./options.ts";
import { openProgress } from "./progress.ts";
import { note, print } from "./streams.ts";

/** What an operation of the library is called with. */
export type Hooks = Required<OperationOptions>;

/** Calls `operation` with an engine; resolves with its report and the warnings it gave. */
export async function withEngine<Report>(
  verb: string,
  { threads, memory, progress, quiet = false }: WorkOptions,
  operation: (engine: Engine, hooks: Hooks) => Promise<Report>,
): Promise<Report & { warnings: string[] }> {
  const display = await openProgress(progress, quiet, verb);
  const warnings: string[] = [];
  const hooks = {
    signal: interrupt.signal,
    onProgress: display.onProgress,
    onWarning: (message: string) => {
      warnings.push(message);
      display.onWarning(message);
    },
  };
  const engine = await openEngine({
    memoryBytes: memory,
    ...(threads === undefined ? {} : { threads }),
  });
  try {
    const report = await operation(engine, hooks);
    display.end();
    return { ...report, warnings };
  } finally {
    display.end();
    await engine.close();
  }
}

/** The one object that `--json` puts on stdout. `schema` is "pagefold/" + it + version. */
export async function printJson(schema: string, object: object): Promise<void> {
  await print(`${JSON.stringify({ schema: `pagefold/${schema}/1`, ...object }, null, 2)}\n`);
}

/** The summary of a verb whose product is a file: on stderr, so that pipes stay clean. */
export function summarize(
  text: string,
  { quiet, progress }: Pick<WorkOptions, "quiet" | "progress">,
): void {
  // Who asked for lines of JSON on stderr can read nothing else there.
  if (!quiet && progress !== "json") note(text.replace(/\n$/, ""));
}
