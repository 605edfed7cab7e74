// node --import ./test/support/strip-types.mjs bench/document.ts BENCH.json PEERS.json: puts the
// numbers of both programs between the marks of docs/benchmarks.md, and prints the README's table.
import { readFileSync, writeFileSync } from "node:fs";
import { kernelsTable, nativeLine } from "./kernels.ts";
import { latencyTable } from "./latency.ts";
import { machineLine } from "./machine.ts";
import type { BenchReport } from "./main.ts";
import { digits, markdownTable, mebibytes } from "./markdown.ts";
import type { ToolResult } from "./peers/contest.ts";
import { type PeersReport, type SetReport, scanLine, setTable, setTitle } from "./peers/report.ts";
import { peakLine } from "./process.ts";
import { scalingTable } from "./scaling.ts";

const DOCUMENT = new URL("../docs/benchmarks.md", import.meta.url);
/** Tools of the README's first screen; those that were not measured are left out. */
const TOOLS = [
  "pagefold pack",
  "pagefold pack --level fast",
  "pagefold pack --level small",
  "zstd -1",
  "zstd -3 --long=30",
  "zstd -9 --long=30",
  "borg, 4 KiB chunks",
  "cat",
];
/** The row that we lose. */
const NOISE = "noise";
const NOISE_TOOLS = ["pagefold pack", "zstd -1"];

function rowOf(label: string, result: ToolResult, libraryMs: number | undefined): string[] {
  const byLibrary = libraryMs === undefined ? "" : `${digits(libraryMs)}; as a process `;
  return [
    label,
    digits(result.packSeconds),
    digits(result.unpackSeconds),
    mebibytes(result.storedBytes),
    mebibytes(Math.max(result.packPeakBytes, result.unpackPeakBytes)),
    `${byLibrary}${digits(result.pageMs)}`,
  ];
}

function rowsOf(
  set: SetReport | undefined,
  tools: readonly string[],
  suffix: string,
  libraryMs?: number,
): string[][] {
  return tools.flatMap((tool) => {
    const result = set?.tools.find((candidate) => candidate.tool === tool);
    if (!result) return [];
    return [rowOf(`\`${tool}\`${suffix}`, result, tool === TOOLS[0] ? libraryMs : undefined)];
  });
}

function readmeTable({ sets }: PeersReport, { latency }: BenchReport): string {
  const noise = sets.find(({ set }) => set === NOISE);
  return markdownTable(
    ["", "pack s", "unpack s", "MiB", "peak MiB", "random page ms"],
    [
      ...rowsOf(sets[0], TOOLS, "", latency[0].medianMs),
      ...rowsOf(noise, NOISE_TOOLS, `, ${mebibytes(noise?.byteLength)} MiB of noise`),
    ],
  );
}

function dateLine({ date, machine }: BenchReport | PeersReport): string {
  return `${date.slice(0, 10)}: ${machineLine(machine)}.`;
}

/** The parts of the document by the name of their mark. */
function documentParts(bench: BenchReport, peers: PeersReport): Record<string, string> {
  const { rounds, threads, isPinned, versions } = peers;
  const pinned = isPinned ? ` on ${threads} processors` : "";
  return {
    bench: [
      dateLine(bench),
      kernelsTable(bench.kernels),
      nativeLine(bench.kernels),
      scalingTable(bench.scaling),
      latencyTable(bench.latency),
      peakLine(bench.packPeakBytes),
    ].join("\n\n"),
    peers: [
      `${dateLine(peers)} Medians of ${rounds} runs, ${threads} threads${pinned}.`,
      Object.values(versions)
        .map((version) => `- ${version.replaceAll("*", "").trim()}`)
        .join("\n"),
      ...peers.sets.flatMap((set) => [`### ${setTitle(set)}`, setTable(set)]),
      scanLine(peers.scan),
    ].join("\n\n"),
  };
}

function replaceParts(text: string, parts: Record<string, string>): string {
  return Object.entries(parts).reduce((whole, [mark, part]) => {
    const [begin, end] = [`<!-- ${mark} -->`, `<!-- end of ${mark} -->`];
    const [from, to] = [whole.indexOf(begin), whole.indexOf(end)];
    if (from < 0 || to < from) throw new Error(`docs/benchmarks.md: there is no ${begin} … ${end}`);
    return `${whole.slice(0, from)}${begin}\n\n${part}\n\n${whole.slice(to)}`;
  }, text);
}

function readReport<T extends { schema: string }>(path: string | undefined, schema: string): T {
  if (path === undefined) throw new Error("usage: document.ts BENCH.json PEERS.json");
  const report = JSON.parse(readFileSync(path, "utf8")) as T;
  if (report.schema !== schema) throw new Error(`${path}: ${report.schema} is not ${schema}`);
  return report;
}

const bench = readReport<BenchReport>(process.argv[2], "pagefold/bench/1");
const peers = readReport<PeersReport>(process.argv[3], "pagefold/peers/1");
const parts = documentParts(bench, peers);
writeFileSync(DOCUMENT, replaceParts(readFileSync(DOCUMENT, "utf8"), parts));
process.stdout.write(`${readmeTable(peers, bench)}\n`);
