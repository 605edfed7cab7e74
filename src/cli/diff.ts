// pagefold diff: what changed between two images, in numbers; with -o the difference itself, which
// is what `pack --base` writes.
import type { Command } from "commander";
import {
  type BaseInput,
  compressedPaths,
  type ImageReport,
  type PackInput,
  type PackReport,
  PagefoldError,
} from "../index.ts";
import { parseBase } from "./args.ts";
import { UsageError } from "./failure.ts";
import { formatBytes, formatDuration, formatPercent, formatRatio, printable } from "./format.ts";
import { packInputs } from "./inputs.ts";
import { type KeyOption, keyed, keyOption } from "./keyfile.ts";
import {
  addExamples,
  addWorkOptions,
  forceOption,
  type LevelOption,
  levelOption,
  type WorkOptions,
} from "./options.ts";
import { type OpenOutput, openOutput, refuseInputs } from "./outputs.ts";
import { print } from "./streams.ts";
import { formatTable } from "./table.ts";
import { printJson, summarize, withEngine } from "./work.ts";

type Options = WorkOptions & LevelOption & KeyOption & { output?: string; force?: boolean };

export function defineDiff(command: Command): void {
  command
    .argument("<old>", "the image that both sides have: a file, or A.pfa::NAME", parseBase)
    .argument("<new>", "an image that was made from it")
    .option("-o, --output <file>", "write the difference, - for stdout")
    .addOption(forceOption("an existing archive"))
    .addOption(levelOption())
    .addOption(keyOption("key of the old image's archive, and to seal the difference with"))
    .action(diff);
  addWorkOptions(command);
  addExamples(command, [
    ["pagefold diff monday.raw tuesday.raw", "how much has changed"],
    ["pagefold diff monday.raw tuesday.raw -o step.pfa", "the same as pack --base"],
    ["pagefold unpack --base monday.raw step.pfa -C restored", "applies it"],
  ]);
}

async function diff(old: BaseInput, path: string, options: Options): Promise<void> {
  const { level, json, output, force } = options;
  if (path === "-") throw new UsageError("diff compares files, not stdin");
  if (json && output === "-") {
    throw new UsageError("--json and the difference cannot both go to stdout");
  }
  const [isCompressed] = await compressedPaths([path]);
  if (isCompressed) throw new UsageError(`${path}: is compressed, and diff reads images in place`);
  const { key, base = old } = await keyed({ ...options, base: old });
  const inputs = await packInputs([path], {});
  if (inputs.length !== 1) throw new UsageError(`${path}: is a folder, and diff compares files`);
  const target = output === undefined ? nowhere() : await openOutput(output, force);
  await refuseInputs(target.path, [...inputs, ...baseInputs(base)]);
  try {
    const report = await withEngine("diff", options, (engine, hooks) =>
      engine.pack(inputs, target.to, { base, key, level, ...hooks }),
    );
    const change = changeOf(report);
    const named = { old: baseName(base), new: path, archive: target.path ?? null };
    const { outputBytes, elapsedMs, warnings } = report;
    const found = { ...named, ...change, outputBytes, elapsedMs, warnings };
    if (json) await printJson("diff", found);
    else if (output === undefined) await print(describe(found));
    else summarize(describe(found), options);
  } finally {
    await target.close();
  }
}

/** Takes the difference and forgets it: its length is all that is wanted. */
function nowhere(): OpenOutput {
  const nothing = async () => undefined;
  return { to: { write: nothing }, path: undefined, close: nothing };
}

/** The base must not be replaced by what was made against it. */
function baseInputs(base: BaseInput): PackInput[] {
  const path = "path" in base ? base.path : base.archive;
  return [{ name: path, path }];
}

const baseName = (base: BaseInput) =>
  "path" in base ? base.path : `${base.archive}::${base.name}`;

interface Change {
  byteLength: number;
  frameCount: number;
  comparedFrames: number;
  changedFrames: number;
  changedBlocks: number;
  /** Frames behind the end of the old image. */
  addedFrames: number;
  /** Of the changed and added ones, how many … are zero now. */
  zeroed: number;
  /** … equal a page that stood or stands elsewhere. */
  moved: number;
  /** … are stored as deltas. */
  similar: number;
  /** … are stored as they are, or are one word over and over. */
  fresh: number;
}

function changeOf({ images }: PackReport): Change {
  const [{ name, byteLength, frameCount, counts, change }] = images as [ImageReport];
  if (!change) {
    const reason = "was not compared: its memory does not lie in it in one piece";
    throw new PagefoldError("INPUT", `${name}: ${reason} (unpack --as raw makes a file of it)`);
  }
  const { comparedFrames, changedFrames, changedBlocks } = change;
  const moved = counts.base - (comparedFrames - changedFrames);
  return {
    byteLength,
    frameCount,
    comparedFrames,
    changedFrames,
    changedBlocks,
    addedFrames: frameCount - comparedFrames,
    zeroed: counts.zero,
    moved: moved + counts.duplicateInside + counts.duplicateAcross,
    similar: counts.similar,
    fresh: counts.uniform + counts.compressed + counts.raw,
  };
}

type Found = Change & { old: string; new: string; outputBytes: number; elapsedMs: number };

function describe(found: Found): string {
  const { byteLength, comparedFrames, changedFrames, changedBlocks, outputBytes } = found;
  const row = (what: string, count: number, more = "") => [`  ${what}`, String(count), more];
  const perPage = changedFrames > 0 ? (changedBlocks / changedFrames).toFixed(1) : "0";
  const rows = [
    row("pages changed", changedFrames, formatPercent(changedFrames, comparedFrames)),
    row("64-byte blocks changed", changedBlocks, `${perPage} a page`),
    ...(found.addedFrames > 0 ? [row("pages added", found.addedFrames)] : []),
    row("zeroed", found.zeroed),
    row("moved from elsewhere", found.moved),
    row("like what was there", found.similar),
    row("new", found.fresh),
  ];
  const size = `${formatBytes(byteLength)} in ${formatBytes(outputBytes)}`;
  const ratio = formatRatio(byteLength, outputBytes);
  return [
    `${printable(found.new)} against ${printable(found.old)}: `,
    `${size} of difference, ${ratio}, ${formatDuration(found.elapsedMs)}\n`,
    formatTable(COLUMNS, rows),
  ].join("");
}

const COLUMNS = [
  { title: "", align: "left" },
  { title: "", align: "right" },
  { title: "", align: "right" },
] as const;
