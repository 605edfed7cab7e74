// Brings a captured guest into a QEMU that waits for it: the stream into its socket, and the files
// of RAM that it shares, where the guest was captured from such.
import { type FileHandle, open } from "node:fs/promises";
import { PagefoldError, reasonOf } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { connect } from "../transport/connect.ts";
import { isZeroPage } from "./capturepages.ts";
import { checkedState, type MemoryReader } from "./resumestream.ts";
import type { GuestIdentity } from "./storeidentity.ts";

const PIECE_PAGES = 256;

/** Feeds the QEMU that listens at a unix socket; resolves when it has closed its end. */
export async function resumeInto(
  socketPath: string,
  stream: AsyncIterable<Uint8Array>,
  signal?: AbortSignal,
): Promise<void> {
  const connection = await connect({ kind: "unix", path: socketPath }, signal ? { signal } : {});
  const onAbort = (): void => connection.destroy();
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    // It has nothing to say without a return path, but its end has to be heard.
    connection.receive({ bytes: () => undefined, end: () => connection.end() });
    for await (const piece of stream) await connection.write([piece]);
    connection.end();
    await connection.closed;
    signal?.throwIfAborted();
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof PagefoldError && error.code !== "CONNECTION") throw error;
    const reason = `unix:${socketPath}: QEMU did not take the guest: ${reasonOf(error)}`;
    throw new PagefoldError("CONNECTION", reason, { cause: error });
  } finally {
    signal?.removeEventListener("abort", onAbort);
    connection.destroy();
  }
}

/** A file of RAM that QEMU must find when it starts. */
export interface ResumeFile {
  /** The name of its block. */
  readonly name: string;
  /** Where the file of the captured guest was: "mem-path". */
  readonly path: string;
  readonly byteLength: number;
  readonly firstFrame: number;
}

/** The files that the QEMU of a resumed guest needs; none if all memory is in the stream. */
export function resumeFiles(identity: GuestIdentity, deviceState: Uint8Array): ResumeFile[] {
  const { sharedBlocks } = checkedState(identity, deviceState);
  const { ramBlocks } = identity;
  return sharedBlocks.map(({ block, path }) => {
    const before = ramBlocks.slice(0, block).reduce((sum, one) => sum + one.byteLength, 0);
    return { ...ramBlocks[block], path, firstFrame: before / PAGE_BYTES };
  });
}

/**
 * Writes such a file, zero pages as holes, at its path or at another one. A new file is for its
 * owner only; one of the same length is overwritten in place, as a QEMU may have it already.
 */
export async function writeRamFile(
  { path, byteLength, firstFrame }: ResumeFile,
  memory: MemoryReader,
  signal?: AbortSignal,
): Promise<void> {
  try {
    const file = await open(path, "a+", 0o600).then(async (made) => {
      await made.close();
      return open(path, "r+");
    });
    try {
      // A QEMU that waits has mapped its file, and would not survive that it is cut.
      const isMapped = (await file.stat()).size === byteLength;
      if (!isMapped) await file.truncate(0);
      await file.truncate(byteLength);
      const place = { frameCount: byteLength / PAGE_BYTES, firstFrame, hasHoles: !isMapped };
      await fill(file, place, memory, signal);
    } finally {
      await file.close();
    }
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof PagefoldError) throw error;
    throw new PagefoldError("OUTPUT", `${path}: ${reasonOf(error)}`, { cause: error });
  }
}

interface FilledPlace {
  readonly frameCount: number;
  readonly firstFrame: number;
  /** Whether the file reads as zeros where nothing is written. */
  readonly hasHoles: boolean;
}

async function fill(
  file: FileHandle,
  { frameCount, firstFrame, hasHoles }: FilledPlace,
  memory: MemoryReader,
  signal: AbortSignal | undefined,
): Promise<void> {
  const pages = new Uint8Array(PIECE_PAGES * PAGE_BYTES);
  for (let frame = 0; frame < frameCount; frame += PIECE_PAGES) {
    signal?.throwIfAborted();
    const count = Math.min(PIECE_PAGES, frameCount - frame);
    await memory.read(firstFrame + frame, count, pages.subarray(0, count * PAGE_BYTES), signal);
    for (let at = 0; at < count; ) {
      const end = endOfRun(pages, at, count);
      if (!hasHoles || !isZeroAt(pages, at)) {
        const run = pages.subarray(at * PAGE_BYTES, end * PAGE_BYTES);
        await writeAll(file, run, (frame + at) * PAGE_BYTES);
      }
      at = end;
    }
  }
}

function isZeroAt(pages: Uint8Array, page: number): boolean {
  return isZeroPage(pages.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES));
}

/** The end of the pages that are zero like the first, or not like it. */
function endOfRun(pages: Uint8Array, first: number, count: number): number {
  const isZero = isZeroAt(pages, first);
  let end = first + 1;
  while (end < count && isZeroAt(pages, end) === isZero) end++;
  return end;
}

async function writeAll(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, at + done);
    done += bytesWritten;
  }
}
