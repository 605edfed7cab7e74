// Frames that are in no cluster: zeros are holes already, words are written here. Both have
// fingerprints that the image checksum wants.
import { write } from "node:fs";
import { promisify } from "node:util";
import type { Arena } from "../core/arena.ts";
import { PagefoldError, reasonOf } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { BATCH_PAGES } from "../core/slab.ts";
import { FINGERPRINT_BYTES, type Kernels } from "../kernels/abi.ts";
import { fillWord } from "./pages.ts";
import type { WordRun } from "./restoreplan.ts";

const writeAt = promisify(write);

/** Linear memory for one page and its fingerprint. */
export interface WordScratch {
  readonly arena: Arena;
  readonly kernels: Kernels;
  readonly scratchPtr: number;
}

/** Fills a range with the fingerprint of the zero page. */
export function fillFingerprints(scratch: WordScratch, ptr: number, count: number): void {
  repeatFingerprint(scratch, 0n, ptr, count);
}

/** Writes the pages of a run to the file of its piece, and their fingerprints to memory. */
export async function writeWords(scratch: WordScratch, run: WordRun): Promise<void> {
  const { piece, frame, count, word } = run;
  const at = piece.fingerprintsPtr + (frame - piece.firstFrame) * FINGERPRINT_BYTES;
  repeatFingerprint(scratch, word, at, count);
  if (piece.fd < 0) return;
  const pages = new Uint8Array(Math.min(count, BATCH_PAGES) * PAGE_BYTES);
  fillWord(pages, word);
  for (const part of piece.map.runs(frame, count)) {
    for (let done = 0; done < part.byteLength; ) {
      const length = Math.min(pages.length, part.byteLength - done);
      try {
        done += (await writeAt(piece.fd, pages, 0, length, part.byteOffset + done)).bytesWritten;
      } catch (error) {
        throw new PagefoldError("OUTPUT", `${piece.path}: ${reasonOf(error)}`, { cause: error });
      }
    }
  }
}

function repeatFingerprint(scratch: WordScratch, word: bigint, ptr: number, count: number): void {
  if (count === 0) return;
  const { arena, kernels, scratchPtr } = scratch;
  const page = new Uint8Array(PAGE_BYTES);
  fillWord(page, word);
  arena.bytes.set(page, scratchPtr);
  kernels.fingerprintPages(scratchPtr, 1, ptr);
  const end = ptr + count * FINGERPRINT_BYTES;
  for (let filled = ptr + FINGERPRINT_BYTES; filled < end; ) {
    const length = Math.min(filled - ptr, end - filled);
    arena.bytes.copyWithin(filled, ptr, ptr + length);
    filled += length;
  }
}
