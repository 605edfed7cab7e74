// Finds out what an archive says of itself: superblocks and, where they do not decide, the FOOTER
// (docs/format.md §1.1). Few reads: the tail that holds the index is fetched in one piece. What the
// directory means is index.ts.
import type { RandomAccess } from "../api.ts";
import { PagefoldError } from "../core/errors.ts";
import { type SealKey, TAG_BYTES } from "../core/seal.ts";
import { BATCH_HEADER_BYTES, BatchType, decodeBatchHeader, decodeHead } from "../wire/batch.ts";
import type { Checksum } from "../wire/checksum.ts";
import type { ArchiveSeal } from "../wire/seal.ts";
import {
  type ArchiveState,
  decodeFooter,
  decodeSuperblock,
  FOOTER_HEAD_BYTES,
  looksLikeStream,
  STREAM_HEAD_BYTES,
  SUPERBLOCK_BYTES,
  type Superblock,
} from "../wire/superblock.ts";
import { ByteWindow, readRange } from "./bytesource.ts";
import { openSeal } from "./openseal.ts";

/**
 * Bytes at the end that are fetched at once. With both superblocks and a cluster of 64 KiB this
 * stays below 1 MiB, which is what opening an archive and reading one page may cost.
 */
const TAIL_BYTES = 768 * 1024;
/** Bytes of a FOOTER batch. */
export function footerBytes(isSealed: boolean): number {
  return BATCH_HEADER_BYTES + FOOTER_HEAD_BYTES + (isSealed ? TAG_BYTES : 0);
}

/** What stands before the first batch. */
export interface OpenedHead {
  /** Undefined where one is damaged. */
  readonly superblocks: readonly (Superblock | undefined)[];
  readonly seal: ArchiveSeal | undefined;
}

export interface OpenedArchive {
  readonly state: ArchiveState;
  /** The end of the committed bytes; the DIRECTORY lies in it. */
  readonly tail: ByteWindow;
  /** Damage that does not matter for reading, one line each. */
  readonly faults: string[];
}

/** `name` stands before every message. Throws FORMAT, or KEY. */
export async function openHead(
  access: RandomAccess,
  name: string,
  checksum: Checksum,
  key: SealKey | undefined,
  signal?: AbortSignal,
): Promise<OpenedHead> {
  const { size } = access;
  const head = await readRange(access, 0, Math.min(size, STREAM_HEAD_BYTES), name, signal);
  const blocks = [head.subarray(0, SUPERBLOCK_BYTES), head.subarray(SUPERBLOCK_BYTES)];
  if (!blocks.some(looksLikeStream)) {
    throw new PagefoldError("FORMAT", `${name}: not a pagefold archive`);
  }
  const superblocks = blocks.map((block) => decodeSuperblock(block, checksum));
  return { superblocks, seal: openSeal(superblocks, key, name) };
}

/** Throws DAMAGED when no state can be found. */
export async function openState(
  access: RandomAccess,
  name: string,
  { superblocks, seal }: OpenedHead,
  checksum: Checksum,
  signal?: AbortSignal,
): Promise<OpenedArchive> {
  const { size } = access;
  const faults: string[] = [];
  superblocks.forEach((state, i) => {
    if (!state) faults.push(`superblock ${i}: wrong checksum`);
  });
  let state = newest(superblocks);
  let tail = new ByteWindow(0, new Uint8Array(0));
  if (size > STREAM_HEAD_BYTES && (faults.length > 0 || state?.generation === 0)) {
    tail = await readTail(access, Math.max(STREAM_HEAD_BYTES, size - TAIL_BYTES), size, signal);
    const footer = footerAt(tail, size, checksum, seal);
    if (footer && (!state || state.generation === 0 || footer.generation > state.generation)) {
      state = footer;
    }
  }
  if (!state) throw new PagefoldError("DAMAGED", `${name}: both superblocks are damaged`);
  checkState(name, state, size, seal !== undefined);
  const needed = Math.min(
    state.directoryOffset,
    Math.max(state.indexOffset, state.committedLength - TAIL_BYTES),
  );
  if (!tail.find(state.directoryOffset, state.committedLength - state.directoryOffset)) {
    tail = await readTail(access, needed, state.committedLength, signal);
  }
  // Anybody can write a superblock; the footer of a sealed archive takes its key.
  if (seal && !isSameState(state, footerAt(tail, state.committedLength, checksum, seal))) {
    throw new PagefoldError("DAMAGED", `${name}: its footer is not the one that belongs there`);
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

/** What the FOOTER says that ends exactly at `end`; undefined when there is none. */
function footerAt(
  tail: ByteWindow,
  end: number,
  checksum: Checksum,
  seal: ArchiveSeal | undefined,
): ArchiveState | undefined {
  const byteLength = footerBytes(seal !== undefined);
  const offset = end - byteLength;
  const bytes = tail.find(offset, byteLength);
  if (!bytes) return undefined;
  try {
    const header = decodeBatchHeader(bytes, offset);
    const isFooter = header.type === BatchType.FOOTER;
    if (!isFooter || header.headBytes !== byteLength - BATCH_HEADER_BYTES) return undefined;
    const head = decodeHead(header, bytes, bytes.subarray(BATCH_HEADER_BYTES), checksum, seal);
    const state = decodeFooter(head, "footer");
    return state.committedLength === end ? state : undefined;
  } catch {
    // Whatever lies there is not a footer; that is an answer, not a failure.
    return undefined;
  }
}

/** The first append to a piped archive commits it as generation 1 before it adds anything. */
export function isFooterOf(generation: number, footer: ArchiveState): boolean {
  return footer.generation === generation || (footer.generation === 0 && generation === 1);
}

function isSameState(state: ArchiveState, footer: ArchiveState | undefined): boolean {
  return (
    footer !== undefined &&
    isFooterOf(state.generation, footer) &&
    footer.directoryOffset === state.directoryOffset &&
    footer.directoryLength === state.directoryLength &&
    footer.indexOffset === state.indexOffset
  );
}

function checkState(name: string, state: ArchiveState, size: number, isSealed: boolean): void {
  const fail = (reason: string): never => {
    throw new PagefoldError("DAMAGED", `${name}: ${reason}`);
  };
  const { committedLength, directoryOffset, directoryLength, indexOffset } = state;
  if (committedLength === 0) fail(`truncated: ${size} bytes, no footer at the end`);
  if (committedLength > size) fail(`truncated: ${size} bytes, ${committedLength} committed`);
  const ordered = STREAM_HEAD_BYTES <= indexOffset && indexOffset <= directoryOffset;
  const directoryEnd = committedLength - footerBytes(isSealed);
  if (!ordered || directoryOffset + directoryLength !== directoryEnd) {
    fail(`the directory at offset ${directoryOffset} does not lie before the footer`);
  }
}
