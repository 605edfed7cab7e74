// npm run bench:peers -- [IMAGE…]: pagefold against other tools as whole processes, on the images
// together and on what suits us worst. See bench/README.md.
import { spawnSync } from "node:child_process";
import { checkImages, writeGang } from "./corpus.ts";
import { describeMachine, machineLine } from "./machine.ts";
import { median, relativeSpeed, takeTurns } from "./measure.ts";
import { type BenchOptions, runBench } from "./options.ts";
import { contest, type Settings } from "./peers/contest.ts";
import {
  type PeersReport,
  type ScanReport,
  type SetReport,
  scanLine,
  setTable,
  setTitle,
} from "./peers/report.ts";
import { repositories } from "./peers/repositories.ts";
import { gangSet, worstSets } from "./peers/sets.ts";
import { cat, compressors, pagefolds, scan, zstdPipe } from "./peers/streams.ts";
import { type ImageSet, shell, type Tool } from "./peers/tool.ts";
import { type Command, runToEnd } from "./process.ts";

const USAGE = `npm run bench:peers -- [IMAGE…]
  --dir DIR        where everything is written (default: /dev/shm, or the temporary folder)
  -T, --threads N  threads of each tool that has such an option (default: 2)
  --runs N         measured runs of each (default: 3)
  --json FILE      the numbers as JSON as well
  --quick          a few seconds on small images: shows that it works, measures nothing`;
const FULL = { imagePages: 32_768, noiseBytes: 256 << 20, rounds: 3, pagesPerRound: 3 };
const QUICK: typeof FULL = { imagePages: 512, noiseBytes: 2 << 20, rounds: 1, pagesPerRound: 1 };

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Undefined when there is no such program. */
function versionOf(program: string): string | undefined {
  for (const word of ["--version", "version"]) {
    const { status, stdout } = spawnSync(program, [word], { encoding: "utf8" });
    if (status === 0) return stdout.trim().split("\n")[0];
  }
  return undefined;
}

/** Those of the tools that are installed; the versions are noted. */
function installed(
  groups: readonly { program: string; tools: Tool[] }[],
  versions: Record<string, string>,
): Tool[] {
  return groups.flatMap(({ program, tools }) => {
    const version = versionOf(program);
    if (version === undefined) return [];
    versions[program] = version;
    return tools;
  });
}

/** How to hold commands to the first `threads` processors; undefined where that is impossible. */
function openPin(threads: number): Settings["pin"] | undefined {
  const pin = (command: Command): Command => ({
    ...command,
    program: "taskset",
    words: ["-c", `0-${threads - 1}`, command.program, ...command.words],
  });
  const trial = pin({ program: "true", words: [] });
  return spawnSync(trial.program, trial.words).status === 0 ? pin : undefined;
}

async function measureScan(images: readonly string[], settings: Settings): Promise<ScanReport> {
  const run = (command: Command) => async () => {
    await runToEnd(settings.pin(command));
    return 1;
  };
  const candidates = [
    { name: "cat", run: run(shell('cat "$@" > /dev/null', images)) },
    { name: "inspect", run: run(scan(images, settings.threads)) },
  ];
  const [floor, own] = await takeTurns(candidates, settings.rounds);
  return {
    catSeconds: median(floor.elapsedMs) / 1000,
    inspectSeconds: median(own.elapsedMs) / 1000,
    timesCat: 1 / relativeSpeed(own, floor),
  };
}

async function measureSet(
  tools: readonly Tool[],
  set: ImageSet,
  settings: Settings,
): Promise<SetReport> {
  const results = await contest(tools, set, settings);
  const { name, images, byteLength } = set;
  const report = { set: name, imageCount: images.length, byteLength, tools: results };
  say(`${setTitle(report)}\n\n${setTable(report)}\n`);
  return report;
}

async function measureAll(options: BenchOptions): Promise<PeersReport> {
  const { folder, quick } = options;
  const size = quick ? QUICK : FULL;
  const threads = options.threads ?? 2;
  const rounds = options.runs ?? size.rounds;
  const pin = openPin(threads);
  const machine = describeMachine();
  say(`${machineLine(machine)}; ${threads} threads${pin ? ", pinned" : ""}, ${rounds} runs\n`);
  checkImages(options.images);
  const isOwn = options.images.length === 0;
  const images = isOwn ? writeGang(folder, 4, size.imagePages) : options.images;
  const settings = {
    folder,
    threads,
    rounds,
    pagesPerRound: size.pagesPerRound,
    pin: pin ?? ((command: Command) => command),
  };
  const versions: Record<string, string> = {};
  const streams = [...pagefolds, cat, ...installed(compressors, versions)];
  const pipe = "zstd" in versions ? [zstdPipe] : [];
  const everybody = [...streams, ...pipe, ...installed(repositories, versions)];
  const sets = [await measureSet(everybody, await gangSet(images, folder), settings)];
  for (const set of await worstSets(images, folder, size.noiseBytes)) {
    sets.push(await measureSet(streams, set, settings));
  }
  const scanned = await measureScan(images, settings);
  say(scanLine(scanned));
  return {
    schema: "pagefold/peers/1",
    date: new Date().toISOString(),
    machine,
    quick,
    images: isOwn ? undefined : images,
    threads,
    isPinned: pin !== undefined,
    rounds,
    versions,
    sets,
    scan: scanned,
  };
}

await runBench(USAGE, measureAll);
