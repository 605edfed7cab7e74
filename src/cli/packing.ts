// What pack, append and repack have in common: options about images, and the summary of what was
// found in them.
import { type Command, Option } from "commander";
import type { ImageReport, PackInput, PackOptions, PackReport } from "../index.ts";
import { parseNote } from "./args.ts";
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatName,
  formatPercent,
  formatRate,
  formatRatio,
  printable,
} from "./format.ts";
import { countRows, totalCounts } from "./found.ts";
import { type InputOptions, readText } from "./inputs.ts";
import { type KeyOption, keyed, keyOption } from "./keyfile.ts";
import {
  addWorkOptions,
  asIsOption,
  type BaseOption,
  baseOption,
  type LevelOption,
  levelOption,
  type WorkOptions,
} from "./options.ts";
import { parseSums, sumsOfInputs } from "./sums.ts";
import { formatTable } from "./table.ts";
import { printJson, summarize } from "./work.ts";

/** What `addPackOptions` yields. */
export type PackWords = WorkOptions &
  InputOptions &
  BaseOption &
  KeyOption &
  LevelOption & { digest?: "sha256"; check?: string };

/** `keyText` says what the key is for. */
export function addPackOptions(command: Command, keyText?: string): void {
  addWorkOptions(
    command
      .addOption(levelOption())
      .addOption(baseOption())
      .addOption(keyOption(keyText))
      .option("--name <name>", "name of the image from stdin")
      .option("--files-from <file>", "read paths of images from a file, - for stdin")
      .option("-0, --null", "the paths of --files-from end with NUL, not newline")
      .addOption(asIsOption())
      .option("--note <key=value>", "keep a note with each image; repeatable", parseNote)
      .addOption(new Option("--digest <kind>", "record a digest of each image").choices(["sha256"]))
      .option("--check <sums>", "demand the digests of a SHA256SUMS file"),
    "one line per image",
  );
}

/** The options of the library, without those of the run. */
export async function packOptions(
  inputs: readonly PackInput[],
  words: PackWords,
): Promise<PackOptions> {
  const { level, digest, check, decompress } = words;
  const options: PackOptions = { ...(await keyed(words)), level, decompress };
  if (digest !== undefined) options.digests = [digest];
  if (check !== undefined) {
    const sums = parseSums(await readText(check), check);
    options.expectedSha256 = sumsOfInputs(sums, inputs, check);
  }
  return options;
}

/** Tells what was found and stored: an object on stdout, or a table on stderr. */
export async function showPacked(
  verb: "pack" | "append" | "repack",
  path: string | undefined,
  report: PackReport & { warnings: string[] },
  options: WorkOptions,
): Promise<void> {
  if (options.json) {
    const counts = totalCounts(report.images);
    await printJson(verb, { archive: path ?? null, ...report, counts });
  } else {
    summarize(describe(verb, path, report, options), options);
  }
}

function describe(
  verb: string,
  path: string | undefined,
  report: PackReport,
  { verbose = false, memory }: WorkOptions,
): string {
  const { images, inputBytes, outputBytes, elapsedMs, unlistedPages } = report;
  const where = printable(path ?? "stdout");
  const size = `${verb === "append" ? "+" : ""}${formatBytes(outputBytes)}`;
  const parts = [
    `${where}: ${formatCount(images.length, "image")}, ${formatBytes(inputBytes)} in ${size}`,
    formatRatio(inputBytes, outputBytes),
    formatDuration(elapsedMs),
    formatRate(inputBytes, elapsedMs),
  ];
  const lines = [`${parts.join(", ")}\n`];
  if (verbose) lines.push(imageTable(images));
  lines.push(formatTable(FOUND, countRows(totalCounts(images))));
  if (unlistedPages > 0) {
    const pages = formatCount(unlistedPages, "page");
    const full = `more than ${formatBytes(memory)} of memory (-M) would hold`;
    lines.push(`${pages} could not be looked up again: ${full}\n`);
  }
  return lines.join("");
}

const FOUND = [
  { title: "", align: "left" },
  { title: "", align: "right" },
  { title: "", align: "right" },
] as const;

function imageTable(images: readonly ImageReport[]): string {
  const rows = images.map((image) => [
    formatBytes(image.byteLength),
    formatBytes(image.storedBytes),
    formatPercent(image.storedBytes, image.byteLength),
    formatName(image),
  ]);
  const right = (title: string) => ({ title, align: "right" as const });
  const columns = [
    right("size"),
    right("added"),
    right(""),
    { title: "image", align: "left" as const },
  ];
  return formatTable(columns, rows);
}
