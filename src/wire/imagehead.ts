// The heads that open and close an image: IMAGE and END (docs/format.md §2).
import { ByteReader, ByteWriter } from "../core/bytes.ts";
import { PagefoldError } from "../core/errors.ts";
import {
  MAX_IMAGES,
  MAX_NAME_BYTES,
  MAX_NOTE_KEY_BYTES,
  MAX_NOTE_VALUE_BYTES,
  MAX_NOTES,
  MAX_SEGMENTS,
} from "../core/limits.ts";

/** Bytes of an image checksum (docs/format.md §3). */
export const IMAGE_CHECKSUM_BYTES = 16;
const FLAG_LENGTH_KNOWN = 1;
const FLAG_BASED = 2;
const NANOSECONDS = 1_000_000_000n;

/** The image that another one was made against. */
export interface BaseReference {
  name: string;
  byteLength: number;
  checksum: Uint8Array;
}

/** What is known of an image before its pages. */
export interface ImageHead {
  image: number;
  name: string;
  format: string;
  /** Undefined while an image of unknown length is being streamed; END tells it. */
  byteLength: number | undefined;
  /** Nanoseconds since the epoch. */
  mtimeNs: bigint;
  /** Lengths of the segments; empty when there is one, as long as the image. */
  segmentBytes: number[];
  notes: [key: string, value: string][];
  base?: BaseReference;
}

/** Frames of an image by what was found, in the order of the wire. */
export interface FrameCounts {
  /** All bytes are zero. */
  zero: number;
  /** One word of 8 bytes, 512 times. */
  uniform: number;
  /** Equal to a page that this image stored first … */
  duplicateInside: number;
  /** … or another image of the archive or the stream. */
  duplicateAcross: number;
  /** Equal to a page of the base. */
  base: number;
  /** Stored as a delta. */
  similar: number;
  /** Stored in a cluster that is smaller than its pages. */
  compressed: number;
  /** Stored as they are, because compression gained nothing. */
  raw: number;
}

const COUNT_KEYS = [
  "zero",
  "uniform",
  "duplicateInside",
  "duplicateAcross",
  "base",
  "similar",
  "compressed",
  "raw",
] as const satisfies (keyof FrameCounts)[];

export function emptyCounts(): FrameCounts {
  return Object.fromEntries(COUNT_KEYS.map((key) => [key, 0])) as unknown as FrameCounts;
}

/** What is known of an image after its pages. */
export interface EndHead {
  image: number;
  round: number;
  byteLength: number;
  /** Of the file, where the image is woven of it; undefined where the image is the file. */
  fileBytes?: number | undefined;
  checksum: Uint8Array;
  digests: [algorithm: string, digest: Uint8Array][];
  counts: FrameCounts;
  storedBytes: number;
}

export function encodeImageHead(head: ImageHead): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter();
  writer.varint(head.image);
  writer.string(head.name);
  writer.string(head.format);
  const lengthFlag = head.byteLength === undefined ? 0 : FLAG_LENGTH_KNOWN;
  writer.varint(lengthFlag | (head.base ? FLAG_BASED : 0));
  writer.varint(head.byteLength ?? 0);
  const nanoseconds = ((head.mtimeNs % NANOSECONDS) + NANOSECONDS) % NANOSECONDS;
  writer.zigzag(Number((head.mtimeNs - nanoseconds) / NANOSECONDS));
  writer.varint(Number(nanoseconds));
  writer.varint(head.segmentBytes.length);
  for (const length of head.segmentBytes) writer.varint(length);
  writer.varint(head.notes.length);
  for (const [key, value] of head.notes) {
    writer.string(key);
    writer.string(value);
  }
  if (head.base) {
    writer.string(head.base.name);
    writer.varint(head.base.byteLength);
    writer.raw(head.base.checksum);
  }
  return writer.take();
}

export function decodeImageHead(bytes: Uint8Array, what: string): ImageHead {
  const reader = new ByteReader(bytes, what);
  const image = reader.varint(MAX_IMAGES);
  const name = reader.string(MAX_NAME_BYTES);
  const nameFault = faultOfName(name);
  if (nameFault) reader.fail(`name ${JSON.stringify(name)} ${nameFault}`);
  const format = reader.string(256);
  const flags = reader.varint(FLAG_LENGTH_KNOWN | FLAG_BASED);
  const length = reader.varint();
  const byteLength = flags & FLAG_LENGTH_KNOWN ? length : undefined;
  const seconds = reader.zigzag();
  const mtimeNs = BigInt(seconds) * NANOSECONDS + BigInt(reader.varint(999_999_999));
  const segmentBytes = readSegments(reader, byteLength);
  const notes: [string, string][] = [];
  for (let count = reader.varint(MAX_NOTES); count > 0; count--) {
    notes.push([reader.string(MAX_NOTE_KEY_BYTES), reader.string(MAX_NOTE_VALUE_BYTES)]);
  }
  const head: ImageHead = { image, name, format, byteLength, mtimeNs, segmentBytes, notes };
  if (flags & FLAG_BASED) {
    const baseName = reader.string(MAX_NAME_BYTES);
    const baseBytes = reader.varint();
    head.base = {
      name: baseName,
      byteLength: baseBytes,
      checksum: reader.raw(IMAGE_CHECKSUM_BYTES).slice(),
    };
  }
  reader.end();
  return head;
}

function readSegments(reader: ByteReader, byteLength: number | undefined): number[] {
  const count = reader.varint(Math.min(MAX_SEGMENTS, reader.remaining));
  const segmentBytes: number[] = [];
  let sum = 0;
  for (let i = 0; i < count; i++) {
    const length = reader.varint();
    if (length === 0) reader.fail(`segment ${i} is empty`);
    segmentBytes.push(length);
    sum += length;
  }
  if (count > 0 && sum !== byteLength) {
    reader.fail(`segments of ${sum} bytes in an image of ${byteLength ?? "unknown"} bytes`);
  }
  return segmentBytes;
}

/** What is wrong with an image name, or undefined. The rule of docs/format.md §2. */
export function faultOfName(name: string): string | undefined {
  if (name === "") return "is empty";
  const byteLength = Buffer.byteLength(name);
  if (byteLength > MAX_NAME_BYTES) return `has ${byteLength} bytes of at most ${MAX_NAME_BYTES}`;
  if (name.includes("\0")) return "contains NUL";
  if (name.startsWith("/")) return "is absolute";
  for (const part of name.split("/")) {
    if (part === "") return "has an empty part";
    if (part === "." || part === "..") return `contains "${part}"`;
  }
  return undefined;
}

export function encodeEndHead(head: EndHead): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter();
  writer.varint(head.image);
  writer.varint(head.round);
  writer.varint(head.byteLength);
  writer.raw(head.checksum);
  writer.varint(head.digests.length);
  for (const [algorithm, digest] of head.digests) {
    writer.string(algorithm);
    writer.string(digest);
  }
  writer.varint(COUNT_KEYS.length);
  for (const key of COUNT_KEYS) writer.varint(head.counts[key]);
  writer.varint(head.storedBytes);
  if (head.fileBytes !== undefined) writer.varint(head.fileBytes);
  return writer.take();
}

export function decodeEndHead(bytes: Uint8Array, what: string): EndHead {
  const reader = new ByteReader(bytes, what);
  const image = reader.varint(MAX_IMAGES);
  const round = reader.varint();
  const byteLength = reader.varint();
  const checksum = reader.raw(IMAGE_CHECKSUM_BYTES).slice();
  const digests: [string, Uint8Array][] = [];
  for (let count = reader.varint(16); count > 0; count--) {
    digests.push([reader.string(64), reader.counted(128).slice()]);
  }
  const counts = emptyCounts();
  const countCount = reader.varint(COUNT_KEYS.length);
  if (countCount !== COUNT_KEYS.length) {
    throw new PagefoldError("DAMAGED", `${what}: ${countCount} frame counts`);
  }
  for (const key of COUNT_KEYS) counts[key] = reader.varint();
  const storedBytes = reader.varint();
  const fileBytes = reader.remaining > 0 ? reader.varint() : undefined;
  reader.end();
  return { image, round, byteLength, fileBytes, checksum, digests, counts, storedBytes };
}
