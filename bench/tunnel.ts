// npm run bench:tunnel -- IMAGE…: how fast a tunnel is by itself. The streams of guests with these
// memories go from files through both ends of a tunnel on this machine, with TLS and without.
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { newAuthority, writeTlsFiles } from "../test/support/certificates.ts";
import { describeMachine, machineLine } from "./machine.ts";
import { quantile } from "./measure.ts";
import { runTunnel, type StreamFile, type TunnelRun } from "./tunnel/ends.ts";
import { writeStream } from "./tunnel/streams.ts";

const PAGE_BYTES = 4096;
const PORT = 7741;

interface Way {
  name: string;
  words: string[];
  sourceWords: string[];
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function waysOf(folder: string, levels: readonly string[]): Way[] {
  writeTlsFiles(folder, newAuthority("bench"));
  const links = [
    { name: "TLS", words: ["--tls-dir", folder] },
    { name: "plain", words: [] },
  ];
  return links.flatMap(({ name, words }) =>
    levels.map((level) => ({
      name: `${name}, ${level}`,
      words,
      sourceWords: ["--level", level],
    })),
  );
}

function line({ name }: Way, runs: readonly TunnelRun[]): string {
  const median = (of: (run: TunnelRun) => number): number => quantile(runs.map(of), 0.5);
  const rate = median(({ streamBytes, elapsedMs }) => streamBytes / 1000 / elapsedMs);
  const wire = median(({ wireBytes }) => wireBytes) / 2 ** 20;
  const cpu = median(({ cpuSeconds }) => cpuSeconds);
  const peaks = [0, 1].map((end) =>
    Math.round(median(({ peakBytes }) => peakBytes[end]) / 2 ** 20),
  );
  const cells = [rate.toFixed(0), wire.toFixed(1), cpu.toFixed(2), peaks.join(" + ")];
  return `| ${name} | ${cells.join(" | ")} |`;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: "string", default: "3" },
    levels: { type: "string", default: "auto,fast,balanced" },
  },
});
const folder = mkdtempSync(join(tmpdir(), "pagefold-tunnel-"));
try {
  say(machineLine(describeMachine()));
  const streams = positionals.map((path, i): StreamFile => {
    const stream = join(folder, `${i}.stream`);
    const pages = Math.floor(statSync(path).size / PAGE_BYTES);
    return { path: stream, byteLength: writeStream(path, stream, pages) };
  });
  const ways = waysOf(folder, values.levels.split(","));
  const runs = ways.map((): TunnelRun[] => []);
  for (let round = 0; round < Number(values.runs); round++) {
    for (const [i, way] of ways.entries()) {
      runs[i].push(await runTunnel(folder, streams, { port: PORT, ...way }));
    }
  }
  say("\n| link, level | MB/s of stream | wire MiB | CPU s of both ends | peak MiB |");
  say("|---|---:|---:|---:|---:|");
  for (const [i, way] of ways.entries()) say(line(way, runs[i]));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
