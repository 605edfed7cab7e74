// Streams of bytes come in pieces of any size; the pipeline wants whole batches, of frames.
import { orAbort } from "../core/abort.ts";
import { PagefoldError } from "../core/errors.ts";
import type { FrameMap } from "../core/extent.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { PieceReader } from "../core/piecereader.ts";

/** Regroups `bytes` into private pieces of `size` bytes; only the last one may be shorter. */
export async function* rebatch(
  bytes: AsyncIterable<Uint8Array>,
  size: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let piece = new Uint8Array(size);
  let filled = 0;
  for await (const chunk of untilAborted(bytes, signal)) {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + size - filled);
      piece.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled < size) continue;
      yield piece;
      piece = new Uint8Array(size);
      filled = 0;
    }
  }
  if (filled > 0) yield piece.subarray(0, filled);
}

/**
 * Cuts `bytes`, all of an image's, into its frames: private pieces of `pageCount` pages, the last
 * one of each segment padded. CHANGED when there are more bytes, or fewer.
 */
export async function* inFrames(
  bytes: AsyncIterable<Uint8Array>,
  map: FrameMap,
  pageCount: number,
  { name, signal }: { name: string; signal: AbortSignal | undefined },
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const reader = new PieceReader(bytes, signal);
  const changed = (reason: string) => new PagefoldError("CHANGED", `${name}: ${reason}`);
  try {
    for (let frame = 0; frame < map.frameCount; frame += pageCount) {
      const count = Math.min(pageCount, map.frameCount - frame);
      const pages = new Uint8Array(count * PAGE_BYTES);
      for (const run of map.runs(frame, count)) {
        const content = await reader.take(run.byteLength);
        if (content.length < run.byteLength) throw changed(`ends at byte ${reader.position}`);
        pages.set(content, (run.frame - frame) * PAGE_BYTES);
      }
      yield pages;
    }
    const end = reader.position;
    if ((await reader.take(1)).length > 0) throw changed(`goes on behind byte ${end}`);
  } finally {
    await reader.close();
  }
}

/** The pieces of `bytes`. One that does not come is not waited for after an abort. */
async function* untilAborted(
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const iterator = bytes[Symbol.asyncIterator]();
  let isDone = false;
  try {
    for (;;) {
      const next = await orAbort(iterator.next(), signal);
      isDone = next.done === true;
      if (next.done) return;
      yield next.value;
    }
  } finally {
    // Not waited for: a generator answers only when its own waiting is over.
    if (!isDone) iterator.return?.().catch(() => undefined);
  }
}
