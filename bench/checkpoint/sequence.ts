// The checkpoints: files of one folder, or a few that are made up.
import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { PAGE_BYTES } from "../../src/core/page.ts";
import { seededRandom } from "../../test/support/random.ts";
import { writeGang } from "../corpus.ts";
import type { Epoch } from "./epoch.ts";

const BLOCK_BYTES = 64;
const READ_BYTES = 1 << 20;
/** One page in so many changes in an epoch that is made up, and so many of its blocks. */
const UNCHANGED_PAGES = 25;
const CHANGED_BLOCKS = 5;

/** The files of a folder in the order of their names: two at least, all of one length. */
export function findCheckpoints(folder: string): string[] {
  const names = readdirSync(folder).filter((name) => statSync(join(folder, name)).isFile());
  const paths = names.sort().map((name) => join(folder, name));
  if (paths.length < 2) throw new Error(`${folder}: ${paths.length} files are no sequence`);
  const [{ size }] = paths.map((path) => statSync(path));
  if (size === 0 || size % PAGE_BYTES > 0) throw new Error(`${paths[0]}: ${size} bytes: no pages`);
  for (const path of paths) {
    const found = statSync(path).size;
    if (found !== size) throw new Error(`${path}: ${found} bytes, the first one has ${size}`);
  }
  return paths;
}

/** Each is the one before with blocks overwritten here and there, some by what stood elsewhere. */
export function makeCheckpoints(folder: string, count: number, pageCount: number): string[] {
  const [first] = writeGang(folder, 1, pageCount);
  const image = readFileSync(first);
  const random = seededRandom(1);
  const blockCount = image.length / BLOCK_BYTES;
  return Array.from({ length: count }, (_, number) => {
    for (let i = 0; number > 0 && i < pageCount / UNCHANGED_PAGES; i++) {
      const page = random.int(pageCount) * PAGE_BYTES;
      for (let k = 0; k < CHANGED_BLOCKS; k++) {
        const at = page + random.int(PAGE_BYTES / BLOCK_BYTES) * BLOCK_BYTES;
        const from = random.int(blockCount) * BLOCK_BYTES;
        if (k % 2 === 0) image.copyWithin(at, from, from + BLOCK_BYTES);
        else image.set(random.bytes(8), at);
      }
    }
    const path = join(folder, `made-${number}.raw`);
    writeFileSync(path, image);
    return path;
  });
}

/**
 * Fills the page cache. Twice, for what was read but once the system moves from one of its lists to
 * the other when it is read again, which takes four times as long as reading.
 */
export function warm(paths: readonly string[]): void {
  for (let round = 0; round < 2; round++) {
    for (const path of paths) {
      for (const _ of pieces(path)) {
        // Reading is all.
      }
    }
  }
}

/** What differs between two images of one length. */
export function compareCheckpoints(older: string, newer: string): Epoch {
  const frames: number[] = [];
  let [changedBlocks, byteLength] = [0, 0];
  const before = pieces(older);
  for (const piece of pieces(newer)) {
    const old = before.next().value as Buffer;
    for (let at = 0; at < piece.length; at += PAGE_BYTES) {
      if (piece.compare(old, at, at + PAGE_BYTES, at, at + PAGE_BYTES) === 0) continue;
      frames.push((byteLength + at) / PAGE_BYTES);
      for (let block = at; block < at + PAGE_BYTES; block += BLOCK_BYTES) {
        const end = block + BLOCK_BYTES;
        if (piece.compare(old, block, end, block, end) !== 0) changedBlocks++;
      }
    }
    byteLength += piece.length;
  }
  return { older, newer, byteLength, changedPages: frames.length, changedBlocks, frames };
}

/** The content, in a buffer that is used again. */
function* pieces(path: string): Generator<Buffer> {
  const file = openSync(path, "r");
  try {
    const piece = Buffer.alloc(READ_BYTES);
    for (let at = 0; ; ) {
      const length = readSync(file, piece, 0, READ_BYTES, at);
      if (length === 0) return;
      yield piece.subarray(0, length);
      at += length;
    }
  } finally {
    closeSync(file);
  }
}
