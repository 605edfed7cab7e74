// Where the bytes of a stream go: a file at given offsets, or somebody's `write` in order.
import { writev } from "node:fs";
import { promisify } from "node:util";
import { PagefoldError, reasonOf } from "../core/errors.ts";

/** Takes the bytes of a stream. */
export interface ByteSink {
  /**
   * Writes `parts` at `byteOffset`. Calls may overlap in time, but never in bytes, and begin in
   * the order of their offsets. Parts stay valid until the promise resolves.
   */
  write(parts: readonly Uint8Array[], byteOffset: number): Promise<void>;
}

const writeParts = promisify(writev) as (
  fd: number,
  parts: readonly Uint8Array[],
  byteOffset: number,
) => Promise<number | { bytesWritten: number }>;

/** Writes to an open file at the given offsets; parts are written from where they lie. */
export function fileSink(fd: number, path: string): ByteSink {
  return {
    async write(parts, byteOffset) {
      let rest = parts.filter((part) => part.length > 0);
      for (let at = byteOffset; rest.length > 0; ) {
        const written = await writeParts(fd, rest, at).catch((error) => {
          throw new PagefoldError("OUTPUT", `${path}: ${reasonOf(error)}`, { cause: error });
        });
        const count = typeof written === "number" ? written : written.bytesWritten;
        at += count;
        rest = dropBytes(rest, count);
      }
    },
  };
}

/** Writes in order to a stream; every chunk is a private copy. */
export function streamSink(write: (bytes: Uint8Array<ArrayBuffer>) => Promise<void>): ByteSink {
  let last: Promise<void> = Promise.resolve();
  return {
    write(parts) {
      last = last.then(() => write(concatenate(parts)));
      return last;
    },
  };
}

/** Copies parts into one private array. */
export function concatenate(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

function dropBytes(parts: readonly Uint8Array[], count: number): Uint8Array[] {
  const rest: Uint8Array[] = [];
  let left = count;
  for (const part of parts) {
    if (left < part.length) rest.push(part.subarray(left));
    left = Math.max(0, left - part.length);
  }
  return rest;
}
