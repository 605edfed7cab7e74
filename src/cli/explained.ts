// pagefold inspect --details and --html: where the bytes of images go, as text, as JSON, or as a
// page.
import { type Explanation, type ImagePath, type PackOutput, writeReport } from "../index.ts";
import { UsageError } from "./failure.ts";
import { formatBytes, formatCount, formatDuration, formatPercent, printable } from "./format.ts";
import type { LevelOption, WorkOptions } from "./options.ts";
import { openOutput, refuseInputs } from "./outputs.ts";
import { print } from "./streams.ts";
import { type Column, formatTable } from "./table.ts";
import { printJson, summarize, withEngine } from "./work.ts";

export type ExplainWords = WorkOptions &
  LevelOption & { html?: string; details?: boolean; force?: boolean; decompress?: boolean };

const PAGE_BYTES = 4096;

export async function explain(inputs: readonly ImagePath[], options: ExplainWords): Promise<void> {
  const { html, json, level, decompress } = options;
  if (json && html === "-") {
    throw new UsageError("--json and the page cannot both go to stdout");
  }
  const output =
    html === undefined ? undefined : await openOutput(html, options.force, "a report page");
  await refuseInputs(output?.path, inputs);
  try {
    const explained = await withEngine("inspect", options, async (engine, hooks) => {
      const explanation = await engine.explain(inputs, { ...hooks, level, decompress });
      return { ...explanation, htmlBytes: await write(explanation, output?.to) };
    });
    await show(explained, options);
  } finally {
    await output?.close();
  }
}

async function write(explanation: Explanation, to: PackOutput | undefined): Promise<number> {
  return to ? writeReport(explanation, to) : 0;
}

type Explained = Explanation & { warnings: string[]; htmlBytes: number };

async function show(explained: Explained, options: ExplainWords): Promise<void> {
  const { html } = options;
  if (options.json) {
    const { maps: _, htmlBytes, ...numbers } = explained;
    const page = html === undefined ? {} : { html, htmlBytes };
    await printJson("inspect-details", { ...numbers, ...page });
  } else if (html === "-") {
    summarize(describe(explained), options);
  } else {
    const size = formatBytes(explained.htmlBytes);
    const page = html === undefined ? "" : `${printable(html)}: ${size}\n`;
    await print(`${describe(explained)}${page}`);
  }
}

const left = (title: string): Column => ({ title, align: "left" });
const right = (title: string): Column => ({ title, align: "right" });

const STEPS: Record<string, string> = {
  memory: "memory",
  zero: "zero",
  uniform: "uniform",
  duplicateInside: "duplicate, same image",
  duplicateAcross: "duplicate, other image",
  similar: "deltas of similar pages",
  compression: "compression",
  overhead: "heads and index",
};

function describe({ images, steps, outputBytes, elapsedMs }: Explained): string {
  const [{ changeBytes: memoryBytes }] = steps;
  const rows = steps
    .filter(({ changeBytes }) => changeBytes !== 0)
    .map(({ name, changeBytes, leftBytes }) => [
      `  ${STEPS[name]}`,
      signedMib(name === "memory" ? 0 : changeBytes),
      name === "memory" ? "" : formatPercent(Math.abs(changeBytes), memoryBytes),
      signedMib(leftBytes),
    ]);
  const columns = [left(""), right("MiB"), right(""), right("left")];
  const perImage = images.map(({ name, frameCount, distinctPages, ownPages, storedBytes }) => [
    mib(frameCount * PAGE_BYTES),
    mib(distinctPages * PAGE_BYTES),
    mib(ownPages * PAGE_BYTES),
    mib(storedBytes),
    printable(name),
  ]);
  const heads = [right("MiB"), right("distinct"), right("own"), right("adds"), left("image")];
  const what = `${formatCount(images.length, "image")}, ${formatBytes(memoryBytes)}`;
  return [
    `${what} would be ${formatBytes(outputBytes)} (${formatPercent(outputBytes, memoryBytes)})`,
    `, ${formatDuration(elapsedMs)}\n`,
    formatTable(columns, rows),
    formatTable(heads, perImage),
  ].join("");
}

const mib = (byteCount: number): string => (byteCount / 2 ** 20).toFixed(1);

function signedMib(byteCount: number): string {
  return byteCount === 0 ? "" : mib(byteCount);
}
