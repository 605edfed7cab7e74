// What the frames of a session say about pages that are sent by name (docs/session.md §9): digests,
// and numbers of names, which count the pages that were sent by name from 0 on.
import { type ByteReader, ByteWriter } from "../core/bytes.ts";
import { MAX_CLUSTER_ITEMS, MAX_CLUSTERS, MAX_SESSION_PAGES } from "../core/limits.ts";
import { DIGEST_BYTES } from "../core/page.ts";
import { openHead, type SessionFrame } from "./sessionframe.ts";

/** Names in one frame. */
export const MAX_NAMES = 4096;

/** SHARE: pages of the slots that the rack's store is to have. */
export interface SharedPages {
  /** One after another. */
  readonly digests: Uint8Array;
  /** For each its cluster and item. */
  readonly slots: readonly (readonly [cluster: number, item: number])[];
}

export function encodeShare(share: SharedPages): Uint8Array {
  const writer = new ByteWriter(share.digests.length + share.slots.length * 6 + 8);
  writer.string(share.digests);
  for (const [cluster, item] of share.slots) {
    writer.varint(cluster);
    writer.varint(item);
  }
  return writer.take();
}

export function decodeShare(frame: SessionFrame): SharedPages {
  const reader = openHead(frame);
  const digests = readDigests(reader, MAX_SESSION_PAGES);
  const slots: [number, number][] = [];
  for (let left = digests.length / DIGEST_BYTES; left > 0; left--) {
    slots.push([reader.varint(MAX_CLUSTERS), reader.varint(MAX_CLUSTER_ITEMS - 1)]);
  }
  reader.end();
  return { digests, slots };
}

/** SHARED: digests of pages that the rack's store has. */
export function encodeDigests(digests: Uint8Array): Uint8Array {
  const writer = new ByteWriter(digests.length + 8);
  writer.string(digests);
  return writer.take();
}

export function decodeDigests(frame: SessionFrame): Uint8Array {
  const reader = openHead(frame);
  const digests = readDigests(reader, MAX_NAMES);
  reader.end();
  return digests;
}

/** MISSING, RESOLVED: numbers of names. */
export function encodeNumbers(numbers: readonly number[]): Uint8Array {
  const writer = new ByteWriter(numbers.length * 4 + 8);
  writeNumbers(writer, numbers);
  return writer.take();
}

export function decodeNumbers(frame: SessionFrame): number[] {
  const reader = openHead(frame);
  const numbers = readNumbers(reader);
  reader.end();
  return numbers;
}

/** Mostly they follow one another, so each is its distance from the one before. */
export function writeNumbers(writer: ByteWriter, numbers: readonly number[]): void {
  writer.varint(numbers.length);
  let last = 0;
  for (const number of numbers) {
    writer.zigzag(number - last);
    last = number;
  }
}

export function readNumbers(reader: ByteReader): number[] {
  const numbers: number[] = [];
  let last = 0;
  for (let left = reader.varint(MAX_NAMES); left > 0; left--) {
    last += reader.zigzag();
    if (last < 0 || !Number.isSafeInteger(last)) reader.fail(`name ${last}`);
    numbers.push(last);
  }
  return numbers;
}

export function readDigests(reader: ByteReader, limit: number): Uint8Array {
  const digests = reader.counted(limit * DIGEST_BYTES);
  if (digests.length % DIGEST_BYTES !== 0) reader.fail(`digests of ${digests.length} bytes`);
  return digests;
}
