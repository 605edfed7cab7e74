// Looks at the first bytes of a stream without taking them from whoever reads it.
import { orAbort } from "../../core/abort.ts";

export interface Peeked {
  /** As many bytes as were asked for, fewer only if there are no more. */
  readonly head: Uint8Array;
  /** All of the stream; to be read once. */
  readonly bytes: AsyncGenerator<Uint8Array, void, undefined>;
}

/** Waits for the first `byteLength` bytes. */
export async function peek(
  bytes: AsyncIterable<Uint8Array>,
  byteLength: number,
  signal?: AbortSignal,
): Promise<Peeked> {
  const iterator = bytes[Symbol.asyncIterator]();
  const pieces: Uint8Array[] = [];
  try {
    for (let there = 0; there < byteLength; ) {
      const { done, value } = await orAbort(iterator.next(), signal);
      if (done) break;
      // A piece is only valid until the next one is asked for.
      pieces.push(new Uint8Array(value));
      there += value.length;
    }
  } catch (error) {
    // Not waited for: it may be what was too slow for an abort.
    iterator.return?.().catch(() => undefined);
    throw error;
  }
  const head = Buffer.concat(pieces).subarray(0, byteLength);
  return { head, bytes: startingWith(pieces, iterator) };
}

async function* startingWith(
  pieces: readonly Uint8Array[],
  iterator: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  let isDone = false;
  try {
    yield* pieces;
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
