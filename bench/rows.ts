// node --import ./test/support/strip-types.mjs bench/rows.ts PEERS.json [BENCH.json]: the table of
// the README from the numbers of bench:peers, and the time of a page in the library from bench.
import { readFileSync } from "node:fs";
import type { BenchReport } from "./main.ts";
import { digits, markdownTable, mebibytes } from "./markdown.ts";
import type { ToolResult } from "./peers/contest.ts";
import type { PeersReport, SetReport } from "./peers/report.ts";

/** Tools of the first screen; those that were not measured are left out. */
const TOOLS = ["pagefold pack", "zstd -1", "zstd -3 --long=30", "lz4 -1", "borg, 4 KiB chunks"];
const FLOOR = "cat";
/** The row that we lose. */
const NOISE = "noise";
const NOISE_TOOLS = ["pagefold pack", "zstd -1"];

function rowOf(label: string, result: ToolResult, libraryMs: number | undefined): string[] {
  const byLibrary = libraryMs === undefined ? "" : ` (library: ${digits(libraryMs)})`;
  return [
    label,
    digits(result.packSeconds),
    digits(result.unpackSeconds),
    mebibytes(result.storedBytes),
    mebibytes(Math.max(result.packPeakBytes, result.unpackPeakBytes)),
    `${digits(result.pageMs)}${byLibrary}`,
  ];
}

function rowsOf(
  set: SetReport,
  tools: readonly string[],
  label: (tool: string) => string,
  libraryMs?: number,
): string[][] {
  return tools.flatMap((tool) => {
    const result = set.tools.find((candidate) => candidate.tool === tool);
    return result ? [rowOf(label(tool), result, tool === TOOLS[0] ? libraryMs : undefined)] : [];
  });
}

function readmeTable(peers: PeersReport, bench: BenchReport | undefined): string {
  const [gang] = peers.sets;
  const noise = peers.sets.find(({ set }) => set === NOISE);
  const noiseMiB = noise && mebibytes(noise.byteLength);
  const libraryMs = bench?.latency[0]?.medianMs;
  return markdownTable(
    ["", "pack s", "unpack s", "MiB", "peak MiB", "random page ms"],
    [
      ...rowsOf(gang, [...TOOLS, FLOOR], (tool) => `\`${tool}\``, libraryMs),
      ...(noise ? rowsOf(noise, NOISE_TOOLS, (tool) => `\`${tool}\`, ${noiseMiB} MiB noise`) : []),
    ],
  );
}

const [peersPath, benchPath] = process.argv.slice(2);
if (peersPath === undefined) throw new Error("usage: rows.ts PEERS.json [BENCH.json]");
const parse = (path: string): unknown => JSON.parse(readFileSync(path, "utf8"));
const bench = benchPath === undefined ? undefined : (parse(benchPath) as BenchReport);
process.stdout.write(`${readmeTable(parse(peersPath) as PeersReport, bench)}\n`);
