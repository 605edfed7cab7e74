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

/** For verbs that run an engine. */
export function addWorkOptions(command: Command): Command {
  return addProgressOptions(command)
    .addOption(
      new Option("-T, --threads <n>", "worker threads, 0 = one per processor")
        .argParser(parseThreads)
        .default(undefined, "0"),
    )
    .addOption(
      new Option("-M, --memory <size>", "upper bound of tables and buffers")
        .argParser(parseSize)
        .default(DEFAULT_MEMORY_BYTES, "512MiB"),
    );
}

/** For verbs that take a while. */
export function addProgressOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--progress <how>", "on stderr: a bar on a terminal, or lines of JSON")
        .choices(["auto", "json", "none"])
        .default("auto"),
    )
    .option("-q, --quiet", "no progress and no summary")
    .option("-v, --verbose", "one line per image")
    .option("--json", "one JSON object on stdout");
}

export function outputOption(): Option {
  return new Option("-o, --output <file>", "where to, - for stdout").makeOptionMandatory();
}

export function forceOption(what: string): Option {
  return new Option("-f, --force", `replace ${what}`);
}

/** What `addLevelOption` yields. */
export interface LevelOption {
  level?: Level;
}

export function levelOption(): Option {
  return new Option(
    "--level <level>",
    "how small: store (fold pages only), fast, balanced or small",
  )
    .choices(["store", "fast", "balanced", "small"] satisfies Level[])
    .default("balanced");
}

/** False when given: `decompress` of the library. */
export function asIsOption(): Option {
  return new Option("--no-decompress", "take images as they are, even what zstd has compressed");
}

/** What `baseOption` yields. */
export interface BaseOption {
  base?: BaseInput;
}

export function baseOption(): Option {
  const text = "image that is not in the archive: a file, or A.pfa::NAME";
  return new Option("--base <image>", text).argParser(parseBase);
}

/** Puts examples under the help of a verb; each is a command and what it does. */
export function addExamples(command: Command, examples: readonly [string, string][]): Command {
  const lines = examples.map(([line, text]) => `  ${line}\n      ${text}`);
  return command.addHelpText("after", `\nExamples:\n${lines.join("\n")}`);
}
