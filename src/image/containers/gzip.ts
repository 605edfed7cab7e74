// Reads what lies inside of gzip members (RFC 1952), as `gzip -d` does, and of a zlib stream (RFC
// 1950), by node:zlib. Several members follow one another; zeros may pad the end, anything else
// there is damage.
import { constants, createGunzip, createInflate, inflateSync } from "node:zlib";
import { orAbort } from "../../core/abort.ts";
import { PagefoldError } from "../../core/errors.ts";
import type { ReadOptions } from "../formats.ts";

const CHUNK_BYTES = 1 << 18;
const DEFLATE = 8;
const RESERVED_FLAGS = 0xe0;

/** True if the bytes begin a gzip member. */
export function isGzip(head: Uint8Array): boolean {
  const [id1, id2, method, flags] = head;
  const isKnown = id1 === 0x1f && id2 === 0x8b && method === DEFLATE;
  return isKnown && head.length > 3 && (flags & RESERVED_FLAGS) === 0;
}

/**
 * What is in the beginning of a zlib stream; undefined if it is none. Two bytes tell too little to
 * be sure of that, so whoever asks has to know what it must be.
 */
export function inflatedHead(head: Uint8Array): Uint8Array | undefined {
  const [first, second] = head;
  const isZlib = (first & 15) === DEFLATE && first >> 4 <= 7 && (first * 256 + second) % 31 === 0;
  if (head.length < 2 || !isZlib) return undefined;
  try {
    return inflateSync(head, { finishFlush: constants.Z_SYNC_FLUSH });
  } catch {
    return undefined;
  }
}

/** The content of all gzip members, or of the zlib stream, in `bytes`. */
export async function* inflated(
  bytes: AsyncIterable<Uint8Array>,
  kind: "gzip" | "zlib",
  { name, signal }: ReadOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const options = { chunkSize: CHUNK_BYTES };
  const decoder = kind === "gzip" ? createGunzip(options) : createInflate(options);
  let takenBytes = 0;
  // A decoder that fails forgets who waits for a write.
  let goOn = (): void => undefined;
  decoder.once("close", () => goOn());
  const feed = async (): Promise<void> => {
    for await (const piece of abortable(bytes, signal)) {
      if (decoder.destroyed) return;
      takenBytes += piece.length;
      // A piece is only valid until the next one is asked for, so each is used up first.
      await new Promise<void>((resolve) => {
        goOn = resolve;
        decoder.write(piece, () => resolve());
      });
    }
    decoder.end();
  };
  let failure: unknown;
  const feeding = feed().catch((error) => {
    failure ??= error;
    decoder.destroy(error);
  });
  try {
    for await (const piece of decoder) yield piece;
    if (kind === "zlib" && decoder.bytesWritten < takenBytes) {
      const reason = `${takenBytes - decoder.bytesWritten} bytes follow its end`;
      throw new PagefoldError("DAMAGED", `${name}: zlib: ${reason}`);
    }
  } catch (error) {
    throw faultOf(failure ?? error, name, kind, decoder.bytesWritten);
  } finally {
    decoder.destroy();
    await feeding;
  }
}

function faultOf(error: unknown, name: string, kind: string, byteOffset: number): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (typeof code !== "string" || !code.startsWith("Z_")) return error;
  const reason = code === "Z_BUF_ERROR" ? "truncated: the input ends" : message;
  return new PagefoldError("DAMAGED", `${name}: ${kind}: ${reason} after ${byteOffset} bytes`, {
    cause: error,
  });
}

/** Waits for no piece longer than the operation lasts. */
async function* abortable(
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = bytes[Symbol.asyncIterator]();
  try {
    for (;;) {
      const { done, value } = await orAbort(iterator.next(), signal);
      if (done) return;
      yield value;
    }
  } finally {
    const returned = iterator.return?.();
    // A sender that hangs must not keep an aborted reader.
    if (signal?.aborted) void returned?.catch(() => undefined);
    else await returned;
  }
}
