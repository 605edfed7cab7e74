// pagefold capture: the memory of a live process into a file.
import { type Command, Option } from "commander";
import { type CaptureFormat, type CaptureReport, captureProcess } from "../index.ts";
import { parsePid } from "./args.ts";
import { UsageError } from "./failure.ts";
import { formatBytes, formatCount, formatDuration, printable } from "./format.ts";
import { interrupt } from "./interrupt.ts";
import {
  addExamples,
  addProgressOptions,
  forceOption,
  outputOption,
  type WorkOptions,
} from "./options.ts";
import { openProgress } from "./progress.ts";
import { printJson, summarize } from "./work.ts";

type Options = Pick<WorkOptions, "progress" | "quiet" | "verbose" | "json"> & {
  output: string;
  force?: boolean;
  format: CaptureFormat;
  pause?: boolean;
};
type Range = CaptureReport["unreadable"][number];

export function defineCapture(command: Command): void {
  command
    .argument("<pid>", "id of a process that you may trace", parsePid)
    .addOption(outputOption("where to: a file"))
    .addOption(forceOption("an existing file"))
    .addOption(
      new Option("--format <format>", "elf: a core as gcore writes it; raw: bare memory")
        .choices(["elf", "raw"] satisfies CaptureFormat[])
        .default("elf"),
    )
    .option("--pause", "stop the process meanwhile: a picture of one moment")
    .action(capture);
  addProgressOptions(command, "also name the mappings that are left out on purpose");
  addExamples(command, [
    ["pagefold capture 4711 -o server.core", "the process runs on meanwhile"],
    ["pagefold capture 4711 --pause --format raw -o server.raw", "stopped, then continued"],
  ]);
}

async function capture(pid: number, options: Options): Promise<void> {
  const { output, format, force = false, pause = false, json, progress, quiet = false } = options;
  if (output === "-") throw new UsageError("capture writes files with holes, not stdout");
  const display = await openProgress(progress, quiet, "capture");
  try {
    const image = `process ${pid}`;
    const report = await captureProcess(pid, output, {
      format,
      force,
      pause,
      signal: interrupt.signal,
      onProgress: (at) => display.onProgress?.({ image, ...at, writtenBytes: at.doneBytes }),
    });
    for (const warning of report.warnings) display.onWarning(warning);
    display.end();
    if (json) await printJson("capture", captureObject(report));
    else summarize(describe(report, options), options);
  } finally {
    display.end();
  }
}

/** Addresses are beyond what a JSON number holds exactly. */
const address = (value: bigint) => `0x${value.toString(16)}`;
const rangeObject = (range: Range) => ({ ...range, address: address(range.address) });

function captureObject({ mappings, unreadable, excluded, ...rest }: CaptureReport) {
  return {
    ...rest,
    mappings: mappings.map(({ permissions, memoryBytes, byteOffset, byteLength, name, ...at }) => {
      const sizes = { memoryBytes, byteOffset, byteLength };
      return { address: address(at.address), ...sizes, permissions, name };
    }),
    unreadable: unreadable.map(rangeObject),
    excluded: excluded.map(rangeObject),
  };
}

function describe(report: CaptureReport, { verbose = false }: Options): string {
  const { path, byteLength, storedBytes, mappings, unreadable, excluded, pausedMs } = report;
  const lines = [...unreadable, ...(verbose ? excluded : [])].map(describeRange);
  const parts = [
    `${path}: process ${report.pid} (${report.processName})`,
    `${formatCount(mappings.length, "mapping")} in ${formatBytes(byteLength)}`,
    `${formatBytes(storedBytes)} written`,
  ];
  if (pausedMs > 0) parts.push(`paused for ${formatDuration(pausedMs)}`);
  lines.push(parts.join(", "));
  return lines.map((line) => `${printable(line)}\n`).join("");
}

function describeRange(range: Range): string {
  const { address: start, byteLength, reason } = range;
  return `${address(start)}: ${formatBytes(byteLength)} left out: ${reason}`;
}
