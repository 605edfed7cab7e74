// A slow, obvious reader of the whole format, written from docs/format.md alone: it walks a stream
// forwards, keeps everything in memory and knows no index.

import { inflateRawSync } from "node:zlib";
import { createXXHash64, createXXHash128, type IHasher } from "hash-wasm";
import { clusterContentOracle } from "./cluster.ts";
import { imageChecksumOf, storedFingerprint } from "./imagechecksum.ts";
import { Unsealer } from "./unseal.ts";

export interface OracleImage {
  name: string;
  format: string;
  byteLength: number;
  mtimeSeconds: number;
  mtimeNanoseconds: number;
  notes: [string, string][];
  digests: [string, Buffer][];
  counts: number[];
  storedBytes: number;
  /** The file: segments cut back to their lengths. */
  bytes: Buffer;
  /** Frame by frame, padded. */
  pages: Buffer[];
}

export interface OracleOptions {
  /** Pages of the base image. */
  base?: Buffer[];
  /** Of a sealed archive. */
  key?: Buffer;
}

/** Integers of the format, read one after another. */
class Cursor {
  at = 0;
  readonly bytes: Buffer;
  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }
  u8(): number {
    return this.bytes.readUInt8(this.at++);
  }
  u64(): bigint {
    this.at += 8;
    return this.bytes.readBigUInt64LE(this.at - 8);
  }
  varint(): number {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.u8();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number(value);
    }
  }
  zigzag(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
  raw(count: number): Buffer {
    must(this.at + count <= this.bytes.length, "read past the end");
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }
  counted(): Buffer {
    return this.raw(this.varint());
  }
  string(): string {
    return this.counted().toString("utf8");
  }
  get atEnd(): boolean {
    return this.at === this.bytes.length;
  }
}

function must(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`oracle: ${what}`);
}

interface OpenImage extends OracleImage {
  segments: number[];
  ended: boolean;
}

/** Reads all images of an archive; throws on the first thing that is not as the format says. */
export async function readArchive(
  archive: Buffer,
  options: OracleOptions = {},
): Promise<OracleImage[]> {
  const xxh64 = await createXXHash64();
  const reader = new StreamReader(xxh64, await createXXHash128(), archive, options);
  const end = committedLength(archive, xxh64);
  let sequence = 0;
  let at = 8192;
  while (at < end) at = reader.batch(archive, at, sequence++);
  must(at === end, `the last batch ends at ${at}, ${end} are committed`);
  must(reader.lastType === 8, "the last batch is a FOOTER");
  for (const image of reader.images) must(image.ended, `${image.name} has an END`);
  return reader.images;
}

/** XXH64 of the parts. Published digests are big-endian. */
function sum64(xxh64: IHasher, ...parts: Buffer[]): bigint {
  xxh64.init();
  for (const part of parts) xxh64.update(part);
  return Buffer.from(xxh64.digest("binary")).readBigUInt64BE(0);
}

function committedLength(archive: Buffer, xxh64: IHasher): number {
  let generation = -1n;
  let committed = 0n;
  for (const at of [0, 4096]) {
    const block = archive.subarray(at, at + 4096);
    if (sum64(xxh64, block.subarray(0, 4088)) !== block.readBigUInt64LE(4088)) continue;
    must(block.toString("latin1", 0, 8) === "PAGEFOLD", "magic");
    must(block.readUInt16LE(8) === 1 && block.readUInt32LE(12) === 4096, "version and page size");
    if (block.readBigUInt64LE(16) <= generation) continue;
    generation = block.readBigUInt64LE(16);
    committed = block.readBigUInt64LE(24);
  }
  must(generation >= 0n, "one superblock is valid");
  return generation === 0n ? archive.length : Number(committed);
}

class StreamReader {
  readonly images: OpenImage[] = [];
  lastType = 0;
  /** Every stored page, by cluster; `isDeltas` clusters cannot be referred to by deltas. */
  private readonly clusters: { isDeltas: boolean; pages: Buffer[] }[] = [];
  private readonly xxh64: IHasher;
  private readonly xxh128: IHasher;
  private readonly options: OracleOptions;
  private readonly unsealer: Unsealer | undefined;
  /** The archive, and where the batch begins that is being read. */
  private at: [archive: Buffer, offset: number] = [Buffer.alloc(0), 0];

  constructor(xxh64: IHasher, xxh128: IHasher, archive: Buffer, options: OracleOptions) {
    this.unsealer = options.key && new Unsealer(options.key, archive);
    this.xxh64 = xxh64;
    this.xxh128 = xxh128;
    this.options = options;
  }

  /** Reads the batch at `at`; returns where the next one begins. */
  batch(archive: Buffer, at: number, sequence: number): number {
    const header = archive.subarray(at, at + 64);
    must(header.toString("latin1", 0, 4) === "PFB1", `a batch at ${at}`);
    must(header.readUInt32LE(8) === sequence, `sequence number at ${at}`);
    const bodyAt = at + 64 + header.readUInt32LE(12);
    const end = bodyAt + Number(header.readBigUInt64LE(16));
    const stored = archive.subarray(at + 64, bodyAt);
    const checksum = sum64(this.xxh64, header.subarray(0, 56), stored);
    must(checksum === header.readBigUInt64LE(56), `checksum of the batch at ${at}`);
    this.at = [archive, at];
    let head = this.unsealer?.head(archive, at) ?? stored;
    if (header.readUInt16LE(6) === 1) {
      const inflated = inflateRawSync(head.subarray(4));
      must(inflated.length === head.readUInt32LE(0), "inflated length");
      head = inflated;
    }
    const cursor = new Cursor(head);
    this.lastType = header[4];
    if (header[4] === 1) this.image(cursor);
    if (header[4] === 2) this.pages(cursor, archive.subarray(bodyAt, end));
    if (header[4] === 3) this.end(cursor);
    if (header[4] <= 3) must(cursor.atEnd, `the head of the batch at ${at} is consumed`);
    if (header[4] === 8) {
      must(Number(head.readBigUInt64LE(8)) === end, "a footer ends the committed bytes");
    }
    return end;
  }

  private image(head: Cursor): void {
    must(head.varint() === this.images.length, "image numbers rise by one");
    const image: OpenImage = {
      name: head.string(),
      format: head.string(),
      byteLength: 0,
      mtimeSeconds: 0,
      mtimeNanoseconds: 0,
      notes: [],
      digests: [],
      counts: [],
      storedBytes: 0,
      bytes: Buffer.alloc(0),
      pages: [],
      segments: [],
      ended: false,
    };
    const flags = head.varint();
    image.byteLength = head.varint();
    image.mtimeSeconds = head.zigzag();
    image.mtimeNanoseconds = head.varint();
    for (let n = head.varint(); n > 0; n--) image.segments.push(head.varint());
    for (let n = head.varint(); n > 0; n--) image.notes.push([head.string(), head.string()]);
    if (flags & 2) {
      head.string();
      head.varint();
      head.raw(16);
    }
    this.images.push(image);
  }

  private pages(head: Cursor, body: Buffer): void {
    const image = this.images[head.varint()];
    const firstFrame = head.varint();
    const frameCount = head.varint();
    const firstCluster = head.varint();
    must(firstCluster === this.clusters.length, "clusters are numbered through");
    const stored: Buffer[] = [];
    const deltas: Buffer[] = [];
    let at = 0;
    for (let n = head.varint(); n > 0; n--) {
      const byteLength = head.varint();
      const coded = head.varint();
      const isDeltas = coded % 2 === 1;
      const pages = this.cluster(body.subarray(at, at + byteLength), coded >> 1, isDeltas);
      this.clusters.push({ isDeltas, pages });
      (isDeltas ? deltas : stored).push(...pages);
      at += byteLength;
    }
    must(at === body.length, "clusters fill the body");
    for (let frame = firstFrame; frame < firstFrame + frameCount; ) {
      const tag = head.varint();
      const kind = tag % 16;
      const length = Math.floor(tag / 16);
      const content = this.run(kind, length, head, frame, firstCluster, stored, deltas);
      for (let i = 0; i < length; i++) {
        const page = content(i);
        if (page) image.pages[frame + i] = page;
        must(image.pages[frame + i] !== undefined, `frame ${frame + i} is known`);
      }
      frame += length;
    }
    must(stored.length === 0 && deltas.length === 0, "all items are used");
  }

  /** What the frames of a run are; undefined: what they were. */
  private run(
    kind: number,
    length: number,
    head: Cursor,
    frame: number,
    firstCluster: number,
    stored: Buffer[],
    deltas: Buffer[],
  ): (i: number) => Buffer | undefined {
    if (kind === 1) return () => Buffer.alloc(4096);
    if (kind === 2) {
      const word = Buffer.alloc(8);
      word.writeBigUInt64LE(head.u64());
      return () => Buffer.alloc(4096, word);
    }
    if (kind === 3 || kind === 4) {
      const items = (kind === 3 ? stored : deltas).splice(0, length);
      must(items.length === length, "as many items as frames");
      return (i) => items[i];
    }
    if (kind === 5) {
      const cluster = firstCluster + head.zigzag();
      const item = head.varint();
      must(item + length <= this.clusters[cluster].pages.length, "a run inside its cluster");
      return (i) => this.clusters[cluster].pages[item + i];
    }
    if (kind === 6) {
      const first = frame + head.zigzag();
      return (i) => this.basePage(first + i);
    }
    must(kind === 7, `record kind ${kind}`);
    return () => undefined;
  }

  private cluster(stored: Buffer, items: number, isDeltas: boolean): Buffer[] {
    must(sum64(this.xxh64, stored.subarray(8)) === stored.readBigUInt64LE(0), "cluster checksum");
    const opened = this.unsealer?.cluster(...this.at, this.clusters.length, stored);
    const bytes = opened ? Buffer.concat([stored.subarray(0, 8), opened]) : stored;
    must(bytes.readUInt32LE(8) === bytes.length - 24, "payload length");
    must(bytes[17] === (isDeltas ? 2 : 1) && bytes.readUInt16LE(18) === items, "kind and items");
    const contentBytes = bytes.readUInt32LE(12);
    const payload = bytes.subarray(24);
    const content = Buffer.from(clusterContentOracle(bytes[16], payload, contentBytes));
    if (!isDeltas) {
      must(contentBytes === items * 4096, "whole pages");
      return Array.from({ length: items }, (_, i) => content.subarray(i * 4096, i * 4096 + 4096));
    }
    const pages: Buffer[] = [];
    let at = items * 2;
    for (let i = 0; i < items; i++) {
      const length = content.readUInt16LE(i * 2);
      pages.push(this.delta(new Cursor(content.subarray(at, at + length))));
      at += length;
    }
    must(at === content.length, "items fill the content");
    return pages;
  }

  private delta(item: Cursor): Buffer {
    const references: Buffer[] = [];
    for (let n = item.varint(); n > 0; n--) {
      const code = item.varint();
      if (code % 2 === 1) {
        references.push(this.basePage((code - 1) / 2));
        continue;
      }
      const cluster = this.clusters[code / 2];
      must(cluster && !cluster.isDeltas, "a reference is stored without references");
      references.push(cluster.pages[item.u8()]);
    }
    must(references.length >= 1 && references.length <= 3, "1 to 3 references");
    const page = Buffer.alloc(4096);
    let done = 0;
    while (done < 4096) {
      const op = item.varint();
      const length = op >> 2;
      must(length >= 1 && done + length <= 4096, "an op inside the page");
      if (op % 4 === 0) {
        item.raw(length).copy(page, done);
      } else {
        const from = done + item.zigzag();
        must(from >= 0 && from + length <= 4096, "a source inside its page");
        references[(op % 4) - 1].copy(page, done, from, from + length);
      }
      done += length;
    }
    must(item.atEnd, "ops end with the page");
    return page;
  }

  private basePage(frame: number): Buffer {
    const page = this.options.base?.[frame];
    must(page !== undefined, `base frame ${frame}`);
    return page;
  }

  private end(head: Cursor): void {
    const image = this.images[head.varint()];
    head.varint();
    image.byteLength = head.varint();
    const checksum = head.raw(16);
    image.digests = [];
    for (let n = head.varint(); n > 0; n--) image.digests.push([head.string(), head.counted()]);
    image.counts = Array.from({ length: head.varint() }, () => head.varint());
    image.storedBytes = head.varint();
    const fingerprints = image.pages.map((page) => storedFingerprint(this.xxh128, page));
    const expected = imageChecksumOf(
      this.xxh128,
      new Uint8Array(Buffer.concat(fingerprints)),
      image.byteLength,
    );
    must(checksum.equals(expected), `image checksum of ${image.name}`);
    image.bytes = fileBytes(image);
    image.ended = true;
  }
}

/** The pages of each segment, without the padding of its last one. */
function fileBytes({ pages, segments, byteLength }: OpenImage): Buffer {
  const lengths = segments.length > 0 ? segments : [byteLength];
  const parts: Buffer[] = [];
  let frame = 0;
  for (const length of lengths) {
    const count = Math.ceil(length / 4096);
    const padded = Buffer.concat(pages.slice(frame, frame + count));
    must(
      padded.subarray(length).every((byte) => byte === 0),
      "padding is zero",
    );
    parts.push(padded.subarray(0, length));
    frame += count;
  }
  const bytes = Buffer.concat(parts);
  must(bytes.length === byteLength && frame === pages.length, "segments make up the image");
  return bytes;
}
