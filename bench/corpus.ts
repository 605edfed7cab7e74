// What benches run on: images from the command line, or seeded ones in the likeness of a gang of
// virtual machines, and noise for the worst case.
import { createCipheriv } from "node:crypto";
import { closeSync, openSync, readSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PAGE_BYTES } from "../src/core/page.ts";
import { type SeededRandom, seededRandom } from "../test/support/random.ts";

const WORDS = 512;
const READ_BYTES = 1 << 20;

/** Files that are not there or hold less than a page are refused before anything is measured. */
export function checkImages(paths: readonly string[]): void {
  for (const path of paths) {
    const { size } = statSync(path);
    if (size < PAGE_BYTES) throw new Error(`${path}: ${size} bytes are less than a page`);
  }
}

/**
 * Writes `count` images of `pageCount` pages each. In every ten pages there are three of zeros, two
 * that all images have, one version of such a page with a few words changed, and four of their own:
 * two of text, one of records that repeat, one of noise.
 */
export function writeGang(folder: string, count: number, pageCount: number): string[] {
  return Array.from({ length: count }, (_, image) => {
    const path = join(folder, `vm${image}.raw`);
    writeFileSync(path, gangImage(image, pageCount));
    return path;
  });
}

function gangImage(image: number, pageCount: number): Buffer {
  const own = seededRandom(1000 + image);
  const vocabulary = wordsOf(seededRandom(1));
  const out = Buffer.alloc(pageCount * PAGE_BYTES);
  for (let page = 0; page < pageCount; page++) {
    const kind = page % 10;
    if (kind < 3) continue;
    const into = out.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
    if (kind < 6) writeText(into, seededRandom(page), vocabulary);
    else if (kind < 8) writeText(into, own, vocabulary);
    else if (kind === 8) writeRecords(into, own);
    else into.set(own.bytes(PAGE_BYTES));
    if (kind === 5) into.write(`image ${image}`, own.int(PAGE_BYTES - 16));
  }
  return out;
}

function wordsOf(random: SeededRandom): Buffer[] {
  return Array.from({ length: WORDS }, () => Buffer.from(random.bytes(3 + random.int(8))));
}

function writeText(into: Buffer, random: SeededRandom, vocabulary: readonly Buffer[]): void {
  for (let at = 0; at < into.length; ) {
    // Small numbers come up more often, as words do.
    const word = vocabulary[random.int(random.int(WORDS) + 1)];
    at += word.copy(into, at);
  }
}

/** What heaps look like: a pointer into the same region, a small number, a tag. */
function writeRecords(into: Buffer, random: SeededRandom): void {
  for (let at = 0; at + 16 <= into.length; at += 16) {
    into.writeUInt32LE(0x5500_0000 + random.int(1 << 20) * 16, at);
    into.writeUInt32LE(0x7f3a, at + 4);
    into.writeUInt32LE(random.int(200), at + 8);
    into.writeUInt32LE(random.int(4), at + 12);
  }
}

/** Bytes that nothing compresses, always the same ones: AES in counter mode over zeros. */
export function writeNoise(path: string, byteLength: number): void {
  const cipher = createCipheriv("aes-128-ctr", Buffer.alloc(16, 7), Buffer.alloc(16));
  const zeros = Buffer.alloc(READ_BYTES);
  writeFileSync(path, "");
  for (let at = 0; at < byteLength; at += READ_BYTES) {
    writeFileSync(path, cipher.update(zeros.subarray(0, byteLength - at)), { flag: "a" });
  }
}

/**
 * Up to `pageCount` pages of the images that are not zero, taken in runs from all over them: a run
 * keeps the neighbours that clusters have.
 */
export function readPages(paths: readonly string[], pageCount: number): Buffer {
  const out = Buffer.alloc(pageCount * PAGE_BYTES);
  const zero = Buffer.alloc(PAGE_BYTES);
  const extent = Buffer.alloc(READ_BYTES);
  let filled = 0;
  for (const path of paths) {
    const share = Math.ceil((out.length - filled) / (paths.length - paths.indexOf(path)));
    const limit = Math.min(out.length, filled + share);
    const file = openSync(path, "r");
    // Extents from one place to the next that cover the file evenly, however large it is.
    const extents = Math.ceil(statSync(path).size / READ_BYTES);
    for (let i = 0; i < extents && filled < limit; i++) {
      const offset = ((i * coprimeStep(extents)) % extents) * READ_BYTES;
      const length = readSync(file, extent, 0, READ_BYTES, offset);
      for (let at = 0; at + PAGE_BYTES <= length && filled < limit; at += PAGE_BYTES) {
        const page = extent.subarray(at, at + PAGE_BYTES);
        if (!page.equals(zero)) filled += page.copy(out, filled);
      }
    }
    closeSync(file);
  }
  return out.subarray(0, filled);
}

/** A step that visits all of `count` places, near the golden part of them. */
function coprimeStep(count: number): number {
  const divides = (a: number, b: number): number => (b === 0 ? a : divides(b, a % b));
  let step = Math.max(1, Math.round(count * 0.618));
  while (divides(step, count) !== 1) step++;
  return step;
}
