// How long one page takes out of an archive through `openArchive`, with the archive in the page
// cache. Each page is compared with the image it came from.
import { closeSync, openSync, readSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { type Archive, type ArchivedImage, openArchive, openEngine } from "pagefold";
import { seededRandom } from "../test/support/random.ts";
import { digits, markdownTable } from "./markdown.ts";
import { median, quantile } from "./measure.ts";

export interface LatencyResult {
  access: string;
  reads: number;
  medianMs: number;
  p99Ms: number;
  maxMs: number;
}

interface Frame {
  image: ArchivedImage;
  frame: number;
  /** The page as the file has it; raw images only, in the others frames lie elsewhere. */
  expected: Buffer | undefined;
}

const PAGE_BYTES = 4096;
/** Opening anew is slower by far and needs fewer readings. */
const OPENINGS_PART = 10;
/** Frames looked at for one that is not zero; an image of zeros alone must not keep us. */
const MAX_TRIES = 20;

function nameOf(path: string, i: number): string {
  return `${i}-${basename(path)}`;
}

/** Draws frames of all images without replacement, until `count` of them are not zero. */
function drawFrames(archive: Archive, paths: readonly string[], count: number): Frame[] {
  const random = seededRandom(2);
  const images = paths.map((path, i) => archive.image(nameOf(path, i)));
  const files = paths.map((path) => openSync(path, "r"));
  const zero = Buffer.alloc(PAGE_BYTES);
  const drawn = new Set<string>();
  const frames: Frame[] = [];
  for (let tries = 0; frames.length < count && tries < MAX_TRIES * count; tries++) {
    const i = random.int(images.length);
    const frame = random.int(images[i].frameCount);
    if (drawn.has(`${i}:${frame}`)) continue;
    drawn.add(`${i}:${frame}`);
    if (images[i].format !== "raw") {
      frames.push({ image: images[i], frame, expected: undefined });
      continue;
    }
    const expected = Buffer.alloc(PAGE_BYTES);
    readSync(files[i], expected, 0, PAGE_BYTES, frame * PAGE_BYTES);
    if (!expected.equals(zero)) frames.push({ image: images[i], frame, expected });
  }
  for (const file of files) closeSync(file);
  return frames;
}

/** Reads a page, demands that it be the one that was packed, and returns the milliseconds. */
async function timeRead(
  { image, frame, expected }: Frame,
  read: () => Promise<Uint8Array>,
): Promise<number> {
  const start = performance.now();
  const page = await read();
  const elapsedMs = performance.now() - start;
  if (expected && Buffer.compare(page, expected) !== 0) {
    throw new Error(`${image.name}: frame ${frame} is not what was packed`);
  }
  return elapsedMs;
}

function summarize(access: string, elapsedMs: readonly number[]): LatencyResult {
  return {
    access,
    reads: elapsedMs.length,
    medianMs: median(elapsedMs),
    p99Ms: quantile(elapsedMs, 0.99),
    maxMs: quantile(elapsedMs, 1),
  };
}

async function readInNewArchive(path: string, { image, frame }: Frame): Promise<Uint8Array> {
  const archive = await openArchive(path);
  try {
    return await archive.image(image.name).readPages(frame, 1);
  } finally {
    await archive.close();
  }
}

async function readFrames(path: string, paths: readonly string[], count: number) {
  const archive = await openArchive(path);
  try {
    const frames = drawFrames(archive, paths, count);
    const random: number[] = [];
    const next: number[] = [];
    for (const wanted of frames) {
      const { image, frame } = wanted;
      random.push(await timeRead(wanted, () => image.readPages(frame, 1)));
      if (frame + 1 === image.frameCount) continue;
      const neighbour = { image, frame: frame + 1, expected: undefined };
      next.push(await timeRead(neighbour, () => image.readPages(frame + 1, 1)));
    }
    const opened: number[] = [];
    for (const wanted of frames.slice(0, Math.ceil(count / OPENINGS_PART))) {
      opened.push(await timeRead(wanted, () => readInNewArchive(path, wanted)));
    }
    return { random, next, opened };
  } finally {
    await archive.close();
  }
}

/** Packs the images into `folder`, then reads `count` random pages. */
export async function measureLatency(
  paths: readonly string[],
  folder: string,
  count: number,
): Promise<LatencyResult[]> {
  const path = join(folder, "latency.pfa");
  const engine = await openEngine();
  const inputs = paths.map((from, i) => ({ name: nameOf(from, i), path: from }));
  try {
    await engine.pack(inputs, { path, force: true });
  } finally {
    await engine.close();
  }
  const { random, next, opened } = await readFrames(path, paths, count);
  rmSync(path);
  return [
    summarize("random page, not asked for before", random),
    summarize("the page after it, caches as they are", next),
    summarize("open the archive, one random page, close", opened),
  ];
}

export function latencyTable(results: readonly LatencyResult[]): string {
  return markdownTable(
    ["access", "reads", "median ms", "p99 ms", "max ms"],
    results.map(({ access, reads, medianMs, p99Ms, maxMs }) => [
      access,
      String(reads),
      digits(medianMs),
      digits(p99Ms),
      digits(maxMs),
    ]),
  );
}
