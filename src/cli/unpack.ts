// pagefold unpack: images back into files, from a file or forwards from a pipe.
import { type Command, Option } from "commander";
import type { LostRange, MemoryFormat, UnpackReport } from "../index.ts";
import { Finding } from "./failure.ts";
import { formatBytes, formatCount, formatDuration, formatRate, printable } from "./format.ts";
import { archiveInput } from "./inputs.ts";
import { type KeyOption, keyed, keyOption } from "./keyfile.ts";
import {
  addExamples,
  addWorkOptions,
  type BaseOption,
  baseOption,
  forceOption,
  type WorkOptions,
} from "./options.ts";
import { printJson, summarize, withEngine } from "./work.ts";

type Options = WorkOptions &
  BaseOption &
  KeyOption & { directory: string; force?: boolean; keepGoing?: boolean; as?: MemoryFormat };

export function defineUnpack(command: Command): void {
  command
    .argument("<archive>", "an archive, or - for stdin")
    .argument("[names...]", "images to unpack (default: all)")
    .option("-C, --directory <dir>", "where to", ".")
    .addOption(forceOption("existing files"))
    .option("--keep-going", "write what is intact, zeros for the rest, and a .lost file")
    .addOption(
      new Option("--as <format>", "the memory in it, in another format: NAME.raw, NAME.elf, …")
        .choices(["raw", "elf", "lime"] satisfies MemoryFormat[])
        .conflicts("keepGoing"),
    )
    .addOption(baseOption())
    .addOption(keyOption())
    .action(unpack);
  addWorkOptions(command, "one line per image");
  addExamples(command, [
    ["pagefold unpack fleet.pfa -C restored", "all images; runs of zeros become holes"],
    ["pagefold unpack fleet.pfa vm1.raw vm3.raw", "two of them, here"],
    ["pagefold unpack fleet.pfa vm1.raw --as elf", "the memory as vm1.raw.elf, an ELF core"],
    ["pagefold unpack damaged.pfa --keep-going", "what can be had; exit code 3"],
  ]);
}

async function unpack(archive: string, names: string[], options: Options): Promise<void> {
  const input = await archiveInput(archive);
  const { force, keepGoing, as, directory } = options;
  const sealed = await keyed(options);
  const wanted = names.length > 0 ? { names } : {};
  const report = await withEngine("unpack", options, (engine, hooks) =>
    engine.unpack(input, directory, { ...wanted, ...sealed, force, keepGoing, as, ...hooks }),
  );
  if (options.json) await printJson("unpack", { archive, directory, ...report });
  else summarize(describe(report, options), options);
  if (report.lost.length > 0) throw new Finding(`${archive}: ${lostPages(report.lost)} lost`);
}

function describe(report: UnpackReport, { verbose = false, directory }: Options): string {
  const { images, writtenBytes, elapsedMs, lost } = report;
  const byteCount = images.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const lines = lost.map((range) => `${describeLost(range)}\n`);
  if (verbose) for (const { path } of images) lines.push(`${printable(path)}\n`);
  const what = `${formatCount(images.length, "image")}, ${formatBytes(byteCount)}`;
  const written = `${formatBytes(writtenBytes)} written`;
  const speed = `${formatDuration(elapsedMs)}, ${formatRate(byteCount, elapsedMs)}`;
  lines.push(`${printable(directory)}: ${what} (${written}), ${speed}\n`);
  return lines.join("");
}

/** "vm0.raw: frames 12 to 40 lost: cluster 33: wrong checksum". */
export function describeLost({ name, firstFrame, frameCount, reason }: LostRange): string {
  const last = firstFrame + frameCount - 1;
  const frames = frameCount === 1 ? `frame ${firstFrame}` : `frames ${firstFrame} to ${last}`;
  return printable(`${name}: ${frames} lost: ${reason}`);
}

/** "1 page", "29 pages". */
export function lostPages(lost: readonly LostRange[]): string {
  return formatCount(
    lost.reduce((sum, { frameCount }) => sum + frameCount, 0),
    "page",
  );
}
