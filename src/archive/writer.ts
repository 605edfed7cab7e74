// Writes a stream: batches one after another, the index at the end. Every batch gets its place at
// once; the bytes follow, several batches at a time where the sink allows it.

import { ByteWriter } from "../core/bytes.ts";
import type { ClusterSeals } from "../core/seal.ts";
import type { PagesOutput, PagesPlace } from "../pipeline/pipelineparts.ts";
import type { WorkPool } from "../pool/pool.ts";
import { BatchType, encodeBatch } from "../wire/batch.ts";
import type { Checksum } from "../wire/checksum.ts";
import { type EndHead, encodeEndHead, encodeImageHead, type ImageHead } from "../wire/imagehead.ts";
import { type DirectoryHead, encodeDirectory, type IndexPointer } from "../wire/indexhead.ts";
import { type PagesHead, writePagesHead } from "../wire/records.ts";
import type { ArchiveSeal, SealMark } from "../wire/seal.ts";
import {
  type ArchiveState,
  encodeFooter,
  encodeSuperblock,
  STREAM_HEAD_BYTES,
  UNCOMMITTED,
} from "../wire/superblock.ts";
import type { ByteSink } from "./bytesink.ts";
import { ClusterSealer } from "./clustersealer.ts";
import { type HeldBatch, IndexWriter } from "./indexwriter.ts";
import { footerBytes } from "./open.ts";

/** Where a writer begins: an empty stream, or the committed end of an archive. */
export interface WriterStart {
  byteOffset: number;
  generation: number;
  directory: DirectoryHead;
}

export interface WriterOptions {
  readonly start?: WriterStart | undefined;
  /** Of a sealed archive; the clusters are sealed by workers. */
  readonly sealing?: { readonly seal: ArchiveSeal; readonly pool: WorkPool } | undefined;
  /** True if images may have more than one round. */
  readonly hasRounds?: boolean | undefined;
}

const EMPTY: WriterStart = {
  byteOffset: 0,
  generation: 0,
  directory: { batchCount: 0, clusterCount: 0, images: [], places: [], contents: [] },
};

interface WrittenImage {
  imageHead: Uint8Array;
  endHead: Uint8Array | undefined;
  leaves: IndexPointer[] | undefined;
  isBased: boolean;
}

export class StreamWriter implements PagesOutput {
  /** Bytes of the stream so far. */
  byteOffset: number;
  clusterCount: number;
  private sequence: number;
  private readonly start: WriterStart;
  private readonly sink: ByteSink;
  private readonly checksum: Checksum;
  private readonly index: IndexWriter;
  private readonly images: WrittenImage[];
  private readonly pending = new Set<Promise<void>>();
  private readonly sealer: ClusterSealer | undefined;
  private readonly mark: SealMark | undefined;

  constructor(sink: ByteSink, checksum: Checksum, options: WriterOptions = {}) {
    const start = options.start ?? EMPTY;
    const { directory } = start;
    this.sink = sink;
    this.checksum = checksum;
    this.start = start;
    this.byteOffset = start.byteOffset;
    this.sequence = directory.batchCount;
    this.clusterCount = directory.clusterCount;
    this.images = directory.images.map((image) => ({ ...image, isBased: false }));
    this.index = new IndexWriter(
      [...directory.places],
      [...directory.contents],
      directory.clusterCount,
      options.hasRounds ?? false,
    );
    if (options.sealing) {
      const { seal, pool } = options.sealing;
      const { sessions = [], batchCount, clusterCount } = directory;
      this.mark = seal.mark;
      this.sealer = new ClusterSealer(pool, seal.begin(sessions, batchCount, clusterCount));
    }
    if (start.byteOffset === 0) this.writeStreamHead();
  }

  /** Number that the next image gets. */
  get imageCount(): number {
    return this.images.length;
  }

  get seals(): ClusterSeals | undefined {
    return this.sealer?.session.seals;
  }

  beginImage(head: ImageHead): void {
    if (head.image !== this.images.length) throw new Error(`image ${head.image} out of order`);
    const imageHead = new Uint8Array(encodeImageHead(head));
    const isBased = head.base !== undefined;
    this.images.push({ imageHead, endHead: undefined, leaves: undefined, isBased });
    this.batch(BatchType.IMAGE, imageHead);
  }

  pages(head: PagesHead, body: Uint8Array, fingerprints: Uint8Array): PagesPlace {
    const writer = new ByteWriter(1024);
    writePagesHead(writer, head);
    this.clusterCount += head.clusters.length;
    const sealed = this.sealer?.seal(head, body);
    const { bodyOffset, written } = this.batch(BatchType.PAGES, writer.take(), body, sealed);
    this.index.pages(head, bodyOffset, fingerprints, this.images[head.image].isBased);
    for (const held of this.index.takeReady()) this.indexBatch(held);
    return { bodyOffset, written };
  }

  endImage(end: EndHead): void {
    const endHead = new Uint8Array(encodeEndHead(end));
    this.images[end.image].endHead = endHead;
    this.index.endImage(end.image);
    this.batch(BatchType.END, endHead);
  }

  /** Writes the index and the footer; resolves when all bytes are out. */
  async finish(generation: number): Promise<ArchiveState> {
    const held = this.index.finish();
    const firstOfTail = held.find((batch) => batch.type !== BatchType.CONTENTS);
    let indexOffset = -1;
    for (const batch of held) {
      if (batch === firstOfTail) indexOffset = this.byteOffset;
      this.indexBatch(batch);
    }
    const directoryOffset = this.byteOffset;
    if (indexOffset < 0) indexOffset = directoryOffset;
    this.batch(BatchType.DIRECTORY, encodeDirectory(this.directory()));
    const directoryLength = this.byteOffset - directoryOffset;
    const committedLength = this.byteOffset + footerBytes(this.sealer !== undefined);
    const state = { generation, committedLength, directoryOffset, directoryLength, indexOffset };
    this.batch(BatchType.FOOTER, encodeFooter(state));
    await this.flush();
    return state;
  }

  /** Resolves when everything written so far is out; rejects with the first failure. */
  async flush(): Promise<void> {
    await Promise.all(this.pending);
  }

  /** Bytes written by this writer. */
  get writtenBytes(): number {
    return this.byteOffset - this.start.byteOffset;
  }

  private directory(): DirectoryHead {
    return {
      // The directory itself and the footer are counted.
      batchCount: this.sequence + 2,
      clusterCount: this.clusterCount,
      images: this.images.map(({ imageHead, endHead, leaves }, image) => {
        if (!endHead) throw new Error(`image ${image} has no end`);
        return { imageHead, endHead, leaves: leaves ?? this.index.leaves.get(image) ?? [] };
      }),
      places: this.index.places,
      contents: this.index.contents,
      ...(this.sealer ? { sessions: [...this.sealer.session.sessions] } : {}),
    };
  }

  private indexBatch({ type, head, pointer }: HeldBatch): void {
    pointer.byteOffset = this.byteOffset;
    this.batch(type, head);
    pointer.byteLength = this.byteOffset - pointer.byteOffset;
  }

  /** `sealed` resolves when the body may be written. */
  private batch(
    type: BatchType,
    head: Uint8Array,
    body: Uint8Array = new Uint8Array(0),
    sealed?: Promise<void>,
  ) {
    const { byteOffset, sealer } = this;
    const sealing = sealer && { session: sealer.session, byteOffset };
    const bytes = encodeBatch(type, this.sequence++, head, body.length, this.checksum, sealing);
    const bodyOffset = byteOffset + bytes.length;
    return { bodyOffset, written: this.write([bytes, body], sealed) };
  }

  private writeStreamHead(): void {
    const block = encodeSuperblock(UNCOMMITTED, this.checksum, this.mark);
    this.write([block, block]);
    if (this.byteOffset !== STREAM_HEAD_BYTES) throw new Error("the head of a stream is 8 KiB");
  }

  private write(parts: readonly Uint8Array[], sealed?: Promise<void>): Promise<void> {
    const { sink, sealer, byteOffset } = this;
    const begin = (): Promise<void> => sink.write(parts, byteOffset);
    const written = sealer ? sealer.inTurn(sealed, begin) : begin();
    for (const part of parts) this.byteOffset += part.length;
    this.pending.add(written);
    // A failure stays in the set, so that `flush` reports it.
    written.then(
      () => this.pending.delete(written),
      () => undefined,
    );
    return written;
  }
}
