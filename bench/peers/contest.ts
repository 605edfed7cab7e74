// Measures tools on one set of images: a run of each for its memory and to see that it gives back
// what it took, then rounds in which all take turns.
import { lstatSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { seededRandom } from "../../test/support/random.ts";
import { median } from "../measure.ts";
import { type Command, peakMemory, runToEnd, timeProcess } from "../process.ts";
import { type ImageSet, type Job, restoredFolder, type Tool } from "./tool.ts";

export interface ToolResult {
  tool: string;
  packSeconds: number;
  unpackSeconds: number;
  /** A page at a random place by a process of its own. */
  pageMs: number;
  storedBytes: number;
  packPeakBytes: number;
  unpackPeakBytes: number;
  /** Times and size as multiples of those of the first tool; times compared within each round. */
  packTimes: number;
  unpackTimes: number;
  sizeTimes: number;
}

export interface Settings {
  folder: string;
  threads: number;
  rounds: number;
  pagesPerRound: number;
  /** Holds a command to the first processors, where that is possible. */
  pin(command: Command): Command;
}

interface Rounds {
  tool: Tool;
  storedBytes: number;
  packPeakBytes: number;
  unpackPeakBytes: number;
  packMs: number[];
  unpackMs: number[];
  pageMs: number[];
}

/** Runs `turn` for a tool in a folder that is new and goes away again, all of it unmeasured. */
async function inOwnFolder<T>(
  tool: Tool,
  set: ImageSet,
  { folder: parent, threads }: Settings,
  turn: (job: Job) => Promise<T>,
): Promise<T> {
  const job = { set, threads, folder: join(parent, "turn") };
  mkdirSync(restoredFolder(job), { recursive: true });
  try {
    if (tool.makeRepository) await runToEnd(tool.makeRepository(job));
    return await turn(job);
  } finally {
    rmSync(job.folder, { recursive: true });
  }
}

/** Length of a file, or of all files below a folder. */
function byteLengthOf(path: string): number {
  const status = lstatSync(path);
  if (!status.isDirectory()) return status.size;
  return readdirSync(path).reduce((sum, name) => sum + byteLengthOf(join(path, name)), 0);
}

/** Rejects with the first difference. */
async function checkRestored(tool: Tool, job: Job): Promise<void> {
  for (const words of tool.restored(job)) await runToEnd({ program: "cmp", words });
}

async function firstTurn(tool: Tool, set: ImageSet, settings: Settings): Promise<Rounds> {
  const { pin } = settings;
  return inOwnFolder(tool, set, settings, async (job) => {
    const packPeakBytes = await peakMemory(pin(tool.pack(job)));
    const storedBytes = byteLengthOf(tool.packed(job));
    const unpackPeakBytes = await peakMemory(pin(tool.unpack(job)));
    await checkRestored(tool, job);
    const peaks = { packPeakBytes, unpackPeakBytes };
    return { tool, storedBytes, ...peaks, packMs: [], unpackMs: [], pageMs: [] };
  });
}

/** Places of pages, the same for all tools of a round. */
function drawPages({ images }: ImageSet, count: number, round: number) {
  const random = seededRandom(round);
  return Array.from({ length: count }, () => {
    const image = random.int(images.length);
    return { image, offset: random.int(Math.floor(statSync(images[image]).size / 4096)) * 4096 };
  });
}

/** All tools on one set; the first one is what the others are compared with. */
export async function contest(
  tools: readonly Tool[],
  set: ImageSet,
  settings: Settings,
): Promise<ToolResult[]> {
  const { rounds, pagesPerRound, pin } = settings;
  const all: Rounds[] = [];
  for (const tool of tools) all.push(await firstTurn(tool, set, settings));
  for (let round = 0; round < rounds; round++) {
    const pages = drawPages(set, pagesPerRound, round);
    for (const { tool, packMs, unpackMs, pageMs } of all) {
      await inOwnFolder(tool, set, settings, async (job) => {
        packMs.push(await timeProcess(pin(tool.pack(job))));
        unpackMs.push(await timeProcess(pin(tool.unpack(job))));
        for (const { image, offset } of pages) {
          pageMs.push(await timeProcess(pin(tool.page(job, image, offset))));
        }
      });
    }
  }
  return all.map((own) => resultOf(own, all[0]));
}

function resultOf(own: Rounds, first: Rounds): ToolResult {
  const times = (of: readonly number[], by: readonly number[]) =>
    median(of.map((value, round) => value / by[round]));
  return {
    tool: own.tool.name,
    packSeconds: median(own.packMs) / 1000,
    unpackSeconds: median(own.unpackMs) / 1000,
    pageMs: median(own.pageMs),
    storedBytes: own.storedBytes,
    packPeakBytes: own.packPeakBytes,
    unpackPeakBytes: own.unpackPeakBytes,
    packTimes: times(own.packMs, first.packMs),
    unpackTimes: times(own.unpackMs, first.unpackMs),
    sizeTimes: own.storedBytes / first.storedBytes,
  };
}
