// pagefold verify: reads every byte of an archive and says what is not what its checksum says.
import type { Command } from "commander";
import type { VerifyReport } from "../index.ts";
import { Finding } from "./failure.ts";
import { formatBytes, formatCount, formatDuration, formatRate, printable } from "./format.ts";
import { archiveInput } from "./inputs.ts";
import { type KeyOption, keyed, keyOption } from "./keyfile.ts";
import {
  addExamples,
  addWorkOptions,
  type BaseOption,
  baseOption,
  type WorkOptions,
} from "./options.ts";
import { print } from "./streams.ts";
import { describeLost, lostPages } from "./unpack.ts";
import { printJson, withEngine } from "./work.ts";

type Options = WorkOptions & BaseOption & KeyOption;

export function defineVerify(command: Command): void {
  command
    .argument("<archive>", "an archive, or - for stdin")
    .addOption(baseOption())
    .addOption(keyOption())
    .action(verify);
  addWorkOptions(command, "one line per image");
  addExamples(command, [
    ["pagefold verify fleet.pfa", "exit code 0 when everything is intact, 3 when not"],
    ["ssh host cat fleet.pfa | pagefold verify - --json", "from a pipe, for a program"],
  ]);
}

async function verify(archive: string, options: Options): Promise<void> {
  const input = await archiveInput(archive);
  const sealed = await keyed(options);
  const report = await withEngine("verify", options, (engine, hooks) =>
    engine.verify(input, { ...sealed, ...hooks }),
  );
  if (options.json) await printJson("verify", { archive, ...report });
  else if (!options.quiet) await print(describe(archive, report, options));
  if (!report.intact) throw new Finding(verdict(archive, report));
}

function describe(archive: string, report: VerifyReport, { verbose = false }: Options): string {
  const { images, faults, lost, checkedBytes, elapsedMs } = report;
  const lines = faults.map((fault) => `${printable(fault)}\n`);
  for (const range of lost) lines.push(`${describeLost(range)}\n`);
  for (const { name, intact } of images) {
    if (verbose || !intact) lines.push(`${printable(name)}: ${intact ? "intact" : "damaged"}\n`);
  }
  const byteCount = images.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const what = `${formatCount(images.length, "image")}, ${formatBytes(byteCount)}`;
  const speed = `${formatDuration(elapsedMs)}, ${formatRate(checkedBytes, elapsedMs)}`;
  const state = report.intact ? "intact" : "damaged";
  const checked = `${formatBytes(checkedBytes)} checked`;
  lines.push(`${printable(archive)}: ${state}: ${what}, ${checked}, ${speed}\n`);
  return lines.join("");
}

function verdict(archive: string, { images, faults, lost }: VerifyReport): string {
  const broken = images.filter(({ intact }) => !intact).length;
  const parts = [`${broken} of ${formatCount(images.length, "image")} damaged`];
  if (lost.length > 0) parts.push(`${lostPages(lost)} lost`);
  if (faults.length > 0) parts.push(formatCount(faults.length, "fault"));
  return `${archive}: ${parts.join(", ")}`;
}
