// What is inside of an image that is compressed, told without writing it anywhere: which memory it
// has where, if its format says so in the order of the file. The content itself is read by others.
import { PagefoldError } from "../../core/errors.ts";
import type { PlacedFormat } from "../formats.ts";
import { ForwardReads } from "../forwardreads.ts";
import { type MemoryLayout, partition } from "../layout.ts";
import type { Compression } from "../opened.ts";
import { openStored } from "../storedfile.ts";
import { Containers } from "./containers.ts";

/** Content that can be read again and again from its beginning. */
export interface Inside {
  readonly name: string;
  content(signal?: AbortSignal): AsyncIterable<Uint8Array>;
  /** The bytes of the content. */
  byteLength(signal?: AbortSignal): Promise<number>;
}

/** Undefined when that cannot be told from reading forwards. */
export async function layoutInside(
  inside: Inside,
  { ranges }: PlacedFormat,
  signal: AbortSignal | undefined,
): Promise<(MemoryLayout & { byteLength: number }) | undefined> {
  const { name } = inside;
  const reads = new ForwardReads(inside.content(signal), signal);
  let found: Awaited<ReturnType<NonNullable<typeof ranges>>>;
  let byteLength: number | undefined;
  try {
    found = await ranges?.(reads.read);
    if (found === undefined || reads.wentBack) return undefined;
    if (reads.isPastPrefix) byteLength = await reads.end();
  } finally {
    await reads.close();
  }
  // What was hardly begun may know its length without being decoded.
  byteLength ??= await inside.byteLength(signal);
  if (!Number.isSafeInteger(byteLength)) {
    throw new PagefoldError("DAMAGED", `${name}: claims to hold ${byteLength} bytes`);
  }
  return { byteLength, ...partition(found, byteLength) };
}

/** What those of `paths` are compressed with that are; what cannot be read is not compressed. */
export async function compressedPaths(
  paths: readonly string[],
): Promise<Map<string, readonly Compression[]>> {
  const containers = new Containers();
  const found = new Map<string, readonly Compression[]>();
  for (const path of paths) {
    const kinds = await containersOf(path, containers).catch(() => []);
    if (kinds.length > 0) found.set(path, kinds);
  }
  return found;
}

async function containersOf(path: string, containers: Containers): Promise<readonly Compression[]> {
  const stored = await openStored(path);
  try {
    const unwrapped = await containers.unwrap(stored.pieces(), { name: path });
    await unwrapped.bytes.return();
    return unwrapped.containers;
  } finally {
    await stored.close();
  }
}
