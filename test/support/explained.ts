// Makes explanations without packing anything: images of any size, whose pages come in runs of one
// kind, as in real memory, or each of a random kind.
import type { ExplainedImage, Explanation } from "../../src/explainapi.ts";
import { KIND_COUNT } from "../../src/report/kindcodes.ts";
import { PageMap } from "../../src/report/pagemap.ts";
import { stepsOf } from "../../src/report/steps.ts";
import type { FrameCounts } from "../../src/wire/imagehead.ts";
import type { SeededRandom } from "./random.ts";

const PAGE_BYTES = 4096;
/** In 1/4096 bit. */
const MAX_ENTROPY = 8 * 4096;

export interface ExplainedSize {
  names: readonly string[];
  frameCount: number;
  /** Frames of one kind in a row, at most; 1: no two belong together. */
  longestRun?: number;
  /** Where the first frame of each image lay. */
  address?: bigint;
}

/** Kinds of the frames of each image, and what explaining such images would say. */
export function madeExplanation(random: SeededRandom, size: ExplainedSize) {
  const { names, frameCount, longestRun = 64, address } = size;
  const kinds = names.map(() => kindsInRuns(random, frameCount, longestRun));
  const maps = kinds.map((of) => mapOf(random, of, address));
  const images = names.map((name, i) => imageOf(name, kinds[i]));
  const all = images.map(({ counts }) => counts);
  const sum = (key: keyof FrameCounts) => all.reduce((total, counts) => total + counts[key], 0);
  const keys = Object.keys(all[0]) as (keyof FrameCounts)[];
  const counts = Object.fromEntries(keys.map((key) => [key, sum(key)])) as unknown as FrameCounts;
  const storedBytes = images.reduce((total, image) => total + image.storedBytes, 0);
  const deltaBytes = counts.similar * 300;
  const outputBytes = storedBytes + 10_000;
  const explanation: Explanation = {
    images,
    steps: stepsOf({ counts, deltaBytes, storedBytes, outputBytes }),
    sharing: images.map((row) => images.map((column) => sharedBy(row, column))),
    repeated: repeatedPages(random, images),
    inputBytes: images.reduce((total, { byteLength }) => total + byteLength, 0),
    outputBytes,
    unlistedPages: 0,
    elapsedMs: 1234,
    maps,
  };
  return { kinds, explanation };
}

function kindsInRuns(random: SeededRandom, frameCount: number, longest: number): Uint8Array {
  const kinds = new Uint8Array(frameCount);
  for (let at = 0; at < frameCount; ) {
    const length = 1 + random.int(longest);
    kinds.fill(random.int(KIND_COUNT), at, at + length);
    at += length;
  }
  return kinds;
}

function mapOf(random: SeededRandom, kinds: Uint8Array, address: bigint | undefined): PageMap {
  const range = { frame: 0, frameCount: kinds.length, address: address ?? 0n };
  const map = new PageMap(1, Number.POSITIVE_INFINITY, address === undefined ? [] : [range]);
  for (const kind of kinds) map.add(kind, kind === 0 ? 0 : random.int(MAX_ENTROPY + 1));
  return map;
}

function imageOf(name: string, kinds: Uint8Array): ExplainedImage {
  const of = (kind: number) => kinds.reduce((count, found) => count + Number(found === kind), 0);
  const dense = of(6);
  const counts: FrameCounts = {
    zero: of(0),
    uniform: of(1),
    duplicateInside: of(2),
    duplicateAcross: of(3),
    base: 0,
    similar: of(4),
    compressed: of(5) + dense,
    raw: 0,
  };
  const distinctPages = counts.similar + counts.compressed;
  return {
    name,
    format: "raw",
    byteLength: kinds.length * PAGE_BYTES,
    frameCount: kinds.length,
    counts,
    densePages: dense,
    storedBytes: counts.similar * 200 + of(5) * 1500 + dense * 4000,
    distinctPages,
    ownPages: Math.floor(distinctPages / 2),
    entropy: { framesPerRegion: kinds.length, bits: [4] },
  };
}

function sharedBy(row: ExplainedImage, column: ExplainedImage): number {
  if (row === column) return row.distinctPages;
  return Math.floor(Math.min(row.distinctPages, column.distinctPages) / 3);
}

function repeatedPages(random: SeededRandom, images: readonly ExplainedImage[]) {
  return Array.from({ length: 24 }, (_, i) => ({
    count: 500 - i,
    images: images.map((_, image) => image),
    first: { image: 0, frame: random.int(images[0].frameCount) },
    isUniform: i % 3 === 0,
    bytes: Buffer.from(random.bytes(64)).toString("hex"),
    byteOffset: 64 * random.int(64),
  }));
}
