// Small sealed archives and somebody who changes them without the key: batches are found by their
// headers, and checksums are made to agree again.
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Engine } from "../../src/api.ts";
import { xxh64 } from "../oracle/xxh64.ts";

export const KEY = randomBytes(32);

export interface BatchSpan {
  readonly type: number;
  readonly at: number;
  readonly bodyAt: number;
  readonly end: number;
}

/** Batches of an intact archive, by their headers. */
export function batchesOf(bytes: Buffer): BatchSpan[] {
  const batches: BatchSpan[] = [];
  for (let at = 8192; at < bytes.length; ) {
    const bodyAt = at + 64 + bytes.readUInt32LE(at + 12);
    const end = bodyAt + Number(bytes.readBigUInt64LE(at + 16));
    batches.push({ type: bytes[at + 4], at, bodyAt, end });
    at = end;
  }
  return batches;
}

/** Makes the checksums agree again of whatever holds the byte at `at`. */
export function resum(bytes: Buffer, at: number, batches: readonly BatchSpan[]): void {
  const sum = (to: number, ...parts: Buffer[]): void => {
    bytes.writeBigUInt64LE(xxh64(Buffer.concat(parts)), to);
  };
  const batch = batches.find(({ at: begin, end }) => begin <= at && at < end);
  if (!batch) {
    const block = at < 4096 ? 0 : 4096;
    sum(block + 4088, bytes.subarray(block, block + 4088));
  } else if (at >= batch.bodyAt) {
    sum(batch.bodyAt, bytes.subarray(batch.bodyAt + 8, batch.end));
  } else {
    const { at: begin, bodyAt } = batch;
    sum(begin + 56, bytes.subarray(begin, begin + 56), bytes.subarray(begin + 64, bodyAt));
  }
}

/**
 * Packs an image into `path`, and appends each of the others: one batch of pages with one cluster
 * for each. All times are the same.
 */
export async function makeSealed(
  engine: Engine,
  path: string,
  images: Readonly<Record<string, Buffer>>,
): Promise<Buffer> {
  const [first, ...others] = Object.entries(images).map(([name, bytes]) => {
    return { name, bytes: oneOf(bytes), mtimeMs: 1000 };
  });
  await engine.pack([first], { path, force: true }, { key: KEY, level: "fast" });
  for (const input of others) await engine.append(path, [input], { key: KEY, level: "fast" });
  return readFileSync(path);
}

/** A copy of an archive that grows differently. */
export async function makeFork(
  engine: Engine,
  folder: string,
  archive: Buffer,
  name: string,
  image: Buffer,
): Promise<Buffer> {
  const path = join(folder, "fork.pfa");
  writeFileSync(path, archive);
  const input = { name, bytes: oneOf(image), mtimeMs: 1000 };
  await engine.append(path, [input], { key: KEY, level: "fast" });
  return readFileSync(path);
}

async function* oneOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
