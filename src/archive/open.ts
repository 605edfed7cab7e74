// Finds out what an archive says of itself: superblocks and, where they do not decide, the FOOTER
// (docs/format.md §1.1). Few reads: the tail that holds the index is fetched in one piece. What the
// directory means is index.ts.
import type { RandomAccess } from "../api.ts";
import { PagefoldError } from "../core/errors.ts";
import { BATCH_HEADER_BYTES, BatchType, decodeBatchHeader, decodeHead } from "../wire/batch.ts";
import type { Checksum } from "../wire/checksum.ts";
import {
  type ArchiveState,
  decodeFooter,
  decodeSuperblock,
  FOOTER_HEAD_BYTES,
  looksLikeStream,
  STREAM_HEAD_BYTES,
  SUPERBLOCK_BYTES,
} from "../wire/superblock.ts";
import { ByteWindow, readRange } from "./bytesource.ts";

/**
 * Bytes at the end that are fetched at once. With both superblocks and a cluster of 64 KiB this
 * stays below 1 MiB, which is what opening an archive and reading one page may cost.
 */
const TAIL_BYTES = 768 * 1024;
/** Bytes of a FOOTER batch. */
export const FOOTER_BATCH_BYTES = BATCH_HEADER_BYTES + FOOTER_HEAD_BYTES;

export interface OpenedArchive {
  readonly state: ArchiveState;
  /** The end of the committed bytes; the DIRECTORY lies in it. */
  readonly tail: ByteWindow;
  /** Damage that does not matter for reading, one line each. */
  readonly faults: string[];
}

/** `name` stands before every message. Throws FORMAT, or DAMAGED when no state can be found. */
export async function openState(
  access: RandomAccess,
  name: string,
  checksum: Checksum,
  signal?: AbortSignal,
): Promise<OpenedArchive> {
  const { size } = access;
  const head = await readRange(access, 0, Math.min(size, STREAM_HEAD_BYTES), name, signal);
  const blocks = [head.subarray(0, SUPERBLOCK_BYTES), head.subarray(SUPERBLOCK_BYTES)];
  if (!blocks.some(looksLikeStream)) {
    throw new PagefoldError("FORMAT", `${name}: not a pagefold archive`);
  }
  const states = blocks.map((block) => decodeSuperblock(block, checksum));
  const faults: string[] = [];
  states.forEach((state, i) => {
    if (!state) faults.push(`superblock ${i}: wrong checksum`);
  });
  let state = newest(states);
  let tail = new ByteWindow(0, new Uint8Array(0));
  if (size > STREAM_HEAD_BYTES && (faults.length > 0 || state?.generation === 0)) {
    tail = await readTail(access, Math.max(STREAM_HEAD_BYTES, size - TAIL_BYTES), size, signal);
    const footer = footerAtEnd(tail, size, checksum);
    if (footer && (!state || state.generation === 0 || footer.generation > state.generation)) {
      state = footer;
    }
  }
  if (!state) throw new PagefoldError("DAMAGED", `${name}: both superblocks are damaged`);
  checkState(name, state, size);
  const needed = Math.min(
    state.directoryOffset,
    Math.max(state.indexOffset, state.committedLength - TAIL_BYTES),
  );
  if (!tail.find(state.directoryOffset, state.committedLength - state.directoryOffset)) {
    tail = await readTail(access, needed, state.committedLength, signal);
  }
  return { state, tail, faults };
}

function newest(states: readonly (ArchiveState | undefined)[]): ArchiveState | undefined {
  const [a, b] = states;
  return !a || (b && b.generation > a.generation) ? b : a;
}

async function readTail(
  access: RandomAccess,
  begin: number,
  end: number,
  signal?: AbortSignal,
): Promise<ByteWindow> {
  return new ByteWindow(begin, await readRange(access, begin, end - begin, "index", signal));
}

/** What the FOOTER says that ends exactly at `size`; undefined when there is none. */
function footerAtEnd(tail: ByteWindow, size: number, checksum: Checksum): ArchiveState | undefined {
  const offset = size - FOOTER_BATCH_BYTES;
  const bytes = tail.find(offset, FOOTER_BATCH_BYTES);
  if (!bytes) return undefined;
  try {
    const header = decodeBatchHeader(bytes, offset);
    if (header.type !== BatchType.FOOTER || header.headBytes !== FOOTER_HEAD_BYTES)
      return undefined;
    const head = decodeHead(header, bytes, bytes.subarray(BATCH_HEADER_BYTES), checksum);
    const state = decodeFooter(head, "footer");
    return state.committedLength === size ? state : undefined;
  } catch {
    // Whatever lies there is not a footer; that is an answer, not a failure.
    return undefined;
  }
}

function checkState(name: string, state: ArchiveState, size: number): void {
  const fail = (reason: string): never => {
    throw new PagefoldError("DAMAGED", `${name}: ${reason}`);
  };
  const { committedLength, directoryOffset, directoryLength, indexOffset } = state;
  if (committedLength === 0) fail(`truncated: ${size} bytes, no footer at the end`);
  if (committedLength > size) fail(`truncated: ${size} bytes, ${committedLength} committed`);
  const ordered = STREAM_HEAD_BYTES <= indexOffset && indexOffset <= directoryOffset;
  const directoryEnd = committedLength - FOOTER_BATCH_BYTES;
  if (!ordered || directoryOffset + directoryLength !== directoryEnd) {
    fail(`the directory at offset ${directoryOffset} does not lie before the footer`);
  }
}
