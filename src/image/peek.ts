// Looks at the first bytes of a stream without taking them from whoever reads it: is it compressed?
import { orAbort } from "../core/abort.ts";
import { ZSTD_MAGIC_BYTES, zstdMagic } from "../core/zstdframe.ts";
import type { ZstdOptions, ZstdReader } from "./zstd.ts";

/** The content of an image that comes as a stream. */
export interface OpenedStream {
  readonly bytes: AsyncIterable<Uint8Array>;
  readonly isCompressed: boolean;
}

/** Waits for the first bytes; those of a stream that zstd has compressed are decompressed. */
export async function openStream(
  bytes: AsyncIterable<Uint8Array>,
  zstd: ZstdReader,
  options: ZstdOptions,
): Promise<OpenedStream> {
  const iterator = bytes[Symbol.asyncIterator]();
  let head = new Uint8Array(0);
  try {
    while (head.length < ZSTD_MAGIC_BYTES) {
      const { done, value } = await orAbort(iterator.next(), options.signal);
      if (done) break;
      head = Buffer.concat([head, value]);
    }
  } catch (error) {
    // Not waited for: it may be what was too slow for an abort.
    iterator.return?.().catch(() => undefined);
    throw error;
  }
  const whole = startingWith(head, iterator);
  if (zstdMagic(head) === "other") return { bytes: whole, isCompressed: false };
  return { bytes: zstd.read(whole, options), isCompressed: true };
}

async function* startingWith(
  head: Uint8Array,
  iterator: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let isDone = false;
  try {
    if (head.length > 0) yield head;
    for (;;) {
      const next = await iterator.next();
      isDone = next.done === true;
      if (next.done) return;
      yield next.value;
    }
  } finally {
    if (!isDone) await iterator.return?.();
  }
}
