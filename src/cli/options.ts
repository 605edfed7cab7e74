// Options that several verbs share, so that they mean the same everywhere, and their defaults.
import { type Command, Option } from "commander";
import type { BaseInput, Level } from "../index.ts";
import { parseBase, parseSize, parseThreads } from "./args.ts";

export const DEFAULT_MEMORY_BYTES = 512 * 1024 * 1024;

export type ProgressMode = "auto" | "json" | "none";

/** What `addWorkOptions` yields. */
export interface WorkOptions {
  threads?: number | undefined;
  memory: number;
  progress: ProgressMode;
  quiet?: boolean;
  verbose?: boolean;
  json?: boolean;
}

/** The heading of options that change how a verb runs, but not what it does. */
export const RUN_OPTIONS = "While it runs:";

/** For verbs that run an engine. `verbose` says what -v adds; without it there is no -v. */
export function addWorkOptions(command: Command, verbose?: string): Command {
  return addProgressOptions(command, verbose)
    .addOption(
      new Option("-T, --threads <n>", "worker threads, 0 = one per processor (default: 0)")
        .argParser(parseThreads)
        .helpGroup(RUN_OPTIONS),
    )
    .addOption(
      new Option("-M, --memory <size>", "upper bound of tables and buffers")
        .argParser(parseSize)
        .default(DEFAULT_MEMORY_BYTES, "512MiB")
        .helpGroup(RUN_OPTIONS),
    );
}

/** For verbs that take a while. */
export function addProgressOptions(command: Command, verbose?: string): Command {
  const option = (flags: string, text: string) => new Option(flags, text).helpGroup(RUN_OPTIONS);
  command
    .addOption(
      option("--progress <how>", "on stderr: a bar on a terminal, or lines of JSON")
        .choices(["auto", "json", "none"])
        .default("auto"),
    )
    .addOption(option("-q, --quiet", "no progress and no summary"));
  if (verbose !== undefined) command.addOption(option("-v, --verbose", verbose));
  return command.addOption(option("--json", "one JSON object on stdout"));
}

export function outputOption(text = "where to, - for stdout"): Option {
  return new Option("-o, --output <file>", text).makeOptionMandatory();
}

export function forceOption(what: string): Option {
  return new Option("-f, --force", `replace ${what}`);
}

/** What `addLevelOption` yields. */
export interface LevelOption {
  level?: Level;
}

export function levelOption(): Option {
  return new Option("--level <level>", "how hard to compress; store only folds pages")
    .choices(["store", "fast", "balanced", "small"] satisfies Level[])
    .default("balanced");
}

/** False when given: `decompress` of the library. */
export function asIsOption(): Option {
  return new Option("--no-decompress", "take files as they are: not decompressed, not taken apart");
}

/** What `baseOption` yields. */
export interface BaseOption {
  base?: BaseInput;
}

export function baseOption(): Option {
  const text = "image that is not in the archive: a file, or A.pfa::NAME";
  return new Option("--base <image>", text).argParser(parseBase);
}

/** A command, and what it does. */
export type Example = readonly [line: string, text: string];

const EXAMPLES = new WeakMap<Command, readonly Example[]>();

/** Puts examples under the help of a verb. */
export function addExamples(command: Command, examples: readonly Example[]): Command {
  EXAMPLES.set(command, examples);
  const lines = examples.map(([line, text]) => `  ${line}\n      ${text}`);
  return command.addHelpText("after", `\nExamples:\n${lines.join("\n")}`);
}

/** For the manual page, which sets them in its own way. */
export const examplesOf = (command: Command): readonly Example[] => EXAMPLES.get(command) ?? [];
