// Builds small archives frame by frame on top of the wire codecs, with the raw codec only: what the
// reading side is tested on. It chooses nothing; every record is what the test asked for.
import { createXXHash128, type IHasher } from "hash-wasm";
import { ByteWriter } from "../../src/core/bytes.ts";
import { CODEC_RAW, KIND_DELTAS, KIND_PAGES } from "../../src/core/cluster.ts";
import { BatchType, encodeBatch } from "../../src/wire/batch.ts";
import { type Checksum, loadChecksum } from "../../src/wire/checksum.ts";
import {
  emptyCounts,
  encodeEndHead,
  encodeImageHead,
  type ImageHead,
} from "../../src/wire/imagehead.ts";
import {
  type ClusterPlace,
  encodeContents,
  encodeDirectory,
  encodeLeaf,
  encodePlaces,
  type IndexPointer,
} from "../../src/wire/indexhead.ts";
import { pushRun, RecordKind, type Run, writePagesHead } from "../../src/wire/records.ts";
import { resolveRuns } from "../../src/wire/slotruns.ts";
import {
  type ArchiveState,
  encodeFooter,
  encodeSuperblock,
  UNCOMMITTED,
} from "../../src/wire/superblock.ts";
import { imageChecksumOf, storedFingerprint } from "../oracle/imagechecksum.ts";
import { encodeCluster } from "./clusters.ts";

export interface Slot {
  cluster: number;
  item: number;
}

export type DeltaReference = Slot | { baseFrame: number };

/** What a frame is to be coded as; `page` is what it then reads as. */
export type FrameSpec =
  | { kind: "zero" | "skip" }
  | { kind: "uniform"; word: bigint }
  | { kind: "stored"; page: Uint8Array }
  | { kind: "delta"; page: Uint8Array; references: DeltaReference[]; ops: Uint8Array }
  | { kind: "duplicate"; page: Uint8Array; slot: Slot }
  | { kind: "base"; page: Uint8Array; frame: number };

/** A delta op that inserts `bytes`. */
export function insertOp(bytes: Uint8Array): Uint8Array {
  const writer = new ByteWriter();
  writer.varint(bytes.length * 4);
  writer.raw(bytes);
  return writer.take();
}

/** A delta op that copies from reference page `reference` (0–2) when `produced` bytes are there. */
export function copyOp(reference: number, source: number, produced: number, length: number) {
  const writer = new ByteWriter();
  writer.varint(length * 4 + reference + 1);
  writer.zigzag(source - produced);
  return writer.take();
}

interface BuiltImage {
  head: ImageHead;
  endHead: Uint8Array | undefined;
  pages: Uint8Array[];
  runs: Run[];
  round: number;
}

export class ArchiveBuilder {
  /** The pages that every image must read as, by image number. */
  readonly images: BuiltImage[] = [];
  private readonly checksum: Checksum;
  private readonly hasher: IHasher;
  private parts: Uint8Array[];
  /** Bytes so far. */
  private length = 8192;
  private sequence = 0;
  private readonly places: ClusterPlace[] = [];
  private readonly fingerprints: Uint8Array[] = [];

  private constructor(checksum: Checksum, hasher: IHasher) {
    this.checksum = checksum;
    this.hasher = hasher;
    const block = encodeSuperblock(UNCOMMITTED, checksum);
    this.parts = [block, block];
  }

  static async create(): Promise<ArchiveBuilder> {
    return new ArchiveBuilder(await loadChecksum(), await createXXHash128());
  }

  fingerprint(page: Uint8Array): Uint8Array {
    return storedFingerprint(this.hasher, page);
  }

  checksumOf(pages: readonly Uint8Array[], byteLength = pages.length * 4096): Uint8Array {
    const fingerprints = Buffer.concat(pages.map((page) => this.fingerprint(page)));
    return imageChecksumOf(this.hasher, new Uint8Array(fingerprints), byteLength);
  }

  beginImage(name: string, rest: Partial<ImageHead> = {}): number {
    const head: ImageHead = {
      image: this.images.length,
      name,
      format: "raw",
      byteLength: undefined,
      mtimeNs: 1_700_000_000_123_456_789n,
      segmentBytes: [],
      notes: [],
      ...rest,
    };
    this.images.push({ head, endHead: undefined, pages: [], runs: [], round: 0 });
    this.batch(BatchType.IMAGE, encodeImageHead(head));
    return head.image;
  }

  /** One PAGES batch. Returns the slot of every frame that took one. */
  addPages(
    image: number,
    firstFrame: number,
    specs: readonly FrameSpec[],
    itemsPerCluster = 4,
  ): (Slot | undefined)[] {
    const firstCluster = this.places.length;
    const clusters = [
      ...this.clustersOf(specs, "stored", itemsPerCluster),
      ...this.clustersOf(specs, "delta", itemsPerCluster),
    ];
    const runs: Run[] = [];
    for (const spec of specs) pushRun(runs, runOf(spec));
    const head = {
      image,
      firstFrame,
      frameCount: specs.length,
      firstCluster,
      clusters: clusters.map(({ bytes, itemCount, isDeltas }) => {
        return { byteLength: bytes.length, itemCount, isDeltas };
      }),
      runs,
    };
    const writer = new ByteWriter();
    writePagesHead(writer, head);
    let byteOffset = this.batch(
      BatchType.PAGES,
      writer.take(),
      Buffer.concat(clusters.map(({ bytes }) => bytes)),
    ).bodyOffset;
    for (const entry of head.clusters) {
      this.places.push({ byteOffset, ...entry });
      byteOffset += entry.byteLength;
    }
    const built = this.images[image];
    specs.forEach((spec, i) => {
      if (spec.kind !== "skip") built.pages[firstFrame + i] = pageOf(spec);
    });
    const resolved = resolveRuns(head);
    const slots: (Slot | undefined)[] = [];
    for (const run of resolved) {
      for (let i = 0; i < run.length; i++) {
        const isSlot = run.kind === RecordKind.DUPLICATE;
        slots.push(isSlot ? { cluster: run.cluster, item: run.item + i } : undefined);
      }
    }
    this.index(built, firstFrame, resolved);
    return slots;
  }

  endImage(image: number, byteLength?: number): void {
    const built = this.images[image];
    const length = byteLength ?? built.head.byteLength ?? built.pages.length * 4096;
    built.endHead = encodeEndHead({
      image,
      round: built.round++,
      byteLength: length,
      checksum: this.checksumOf(built.pages, length),
      digests: [["sha256", new Uint8Array(32).fill(image)]],
      counts: { ...emptyCounts(), raw: built.pages.length },
      storedBytes: 1,
    });
    this.batch(BatchType.END, built.endHead);
  }

  /** The stream so far, without an index. */
  soFar(): Buffer {
    return Buffer.concat(this.parts);
  }

  /**
   * Adds index, directory and footer. Generation 0 leaves the superblocks as a pipe does. More may
   * be added afterwards, and finished again.
   */
  finish(generation: number, { leafFrames = 1 << 20, placesClusters = 1 << 20 } = {}): Buffer {
    const indexOffset = this.length;
    const images = this.images.map(({ head, endHead, pages, runs }) => {
      const leaves: IndexPointer[] = [];
      for (let first = 0; first < pages.length; first += leafFrames) {
        const count = Math.min(leafFrames, pages.length - first);
        const part: Run[] = [];
        for (const run of runs.slice(first, first + count)) pushRun(part, { ...run });
        const leaf = { image: head.image, firstFrame: first, frameCount: count, runs: part };
        leaves.push({ first, count, ...this.batch(BatchType.LEAF, encodeLeaf(leaf)) });
      }
      if (!endHead) throw new Error(`${head.name} has no end`);
      return { imageHead: encodeImageHead(head), endHead, leaves };
    });
    const places: IndexPointer[] = [];
    const contents: IndexPointer[] = [];
    for (let first = 0; first < this.places.length; first += placesClusters) {
      const part = this.places.slice(first, first + placesClusters);
      const placesHead = encodePlaces({ firstCluster: first, places: part });
      const fingerprints = Buffer.concat(this.fingerprints.slice(first, first + part.length));
      const contentsHead = encodeContents({
        firstCluster: first,
        clusterCount: part.length,
        fingerprints,
      });
      const count = part.length;
      contents.push({ first, count, ...this.batch(BatchType.CONTENTS, contentsHead) });
      places.push({ first, count, ...this.batch(BatchType.PLACES, placesHead) });
    }
    const batchCount = this.sequence + 2;
    const clusterCount = this.places.length;
    const directory = encodeDirectory({ batchCount, clusterCount, images, places, contents });
    const { byteOffset, byteLength } = this.batch(BatchType.DIRECTORY, directory);
    const state: ArchiveState = {
      generation,
      committedLength: this.length + 64 + 40,
      directoryOffset: byteOffset,
      directoryLength: byteLength,
      indexOffset,
    };
    this.batch(BatchType.FOOTER, encodeFooter(state));
    const all = Buffer.concat(this.parts);
    if (generation > 0) {
      all.set(encodeSuperblock(state, this.checksum), (generation % 2) * 4096);
    }
    this.parts = [Buffer.from(all)];
    return all;
  }

  private index(built: BuiltImage, firstFrame: number, resolved: readonly Run[]): void {
    let frame = firstFrame;
    for (const run of resolved) {
      for (let i = 0; i < run.length; i++, frame++) {
        if (run.kind === RecordKind.SKIP) continue;
        const one = { ...run, length: 1 };
        if (one.kind === RecordKind.DUPLICATE) one.item += i;
        if (one.kind === RecordKind.BASE) one.frame += i;
        built.runs[frame] = one;
      }
    }
  }

  private clustersOf(specs: readonly FrameSpec[], kind: "stored" | "delta", itemCount: number) {
    const items = specs.filter((spec) => spec.kind === kind);
    const clusters: { bytes: Uint8Array; itemCount: number; isDeltas: boolean }[] = [];
    for (let at = 0; at < items.length; at += itemCount) {
      const part = items.slice(at, at + itemCount);
      const isDeltas = kind === "delta";
      const content = isDeltas ? deltasContent(part) : Buffer.concat(part.map(pageOf));
      clusters.push({
        bytes: this.encodeCluster(content, part.length, isDeltas),
        itemCount: part.length,
        isDeltas,
      });
      this.fingerprints.push(Buffer.concat(part.map((spec) => this.fingerprint(pageOf(spec)))));
    }
    return clusters;
  }

  private encodeCluster(content: Uint8Array, itemCount: number, isDeltas: boolean): Uint8Array {
    const kind = isDeltas ? KIND_DELTAS : KIND_PAGES;
    const header = { contentBytes: content.length, codec: CODEC_RAW, kind, itemCount };
    return encodeCluster(header, content);
  }

  private batch(type: BatchType, head: Uint8Array, body: Uint8Array = new Uint8Array(0)) {
    const byteOffset = this.length;
    const bytes = encodeBatch(type, this.sequence++, head, body.length, this.checksum);
    this.parts.push(bytes, body);
    this.length += bytes.length + body.length;
    return {
      byteOffset,
      byteLength: bytes.length,
      bodyOffset: byteOffset + bytes.length,
    };
  }
}

function runOf(spec: FrameSpec): Run {
  switch (spec.kind) {
    case "zero":
      return { kind: RecordKind.ZERO, length: 1 };
    case "skip":
      return { kind: RecordKind.SKIP, length: 1 };
    case "uniform":
      return { kind: RecordKind.UNIFORM, length: 1, word: spec.word };
    case "stored":
      return { kind: RecordKind.STORED, length: 1 };
    case "delta":
      return { kind: RecordKind.DELTA, length: 1 };
    case "duplicate":
      return { kind: RecordKind.DUPLICATE, length: 1, ...spec.slot };
    case "base":
      return { kind: RecordKind.BASE, length: 1, frame: spec.frame };
  }
}

function pageOf(spec: FrameSpec): Uint8Array {
  if ("page" in spec) return spec.page;
  const words = new BigUint64Array(512);
  if (spec.kind === "uniform") words.fill(spec.word);
  return new Uint8Array(words.buffer);
}

function deltasContent(specs: readonly FrameSpec[]): Uint8Array {
  const items = specs.map((spec) => {
    if (spec.kind !== "delta") throw new Error(`a ${spec.kind} frame among deltas`);
    const writer = new ByteWriter();
    writer.varint(spec.references.length);
    for (const reference of spec.references) {
      if ("baseFrame" in reference) {
        writer.varint(reference.baseFrame * 2 + 1);
      } else {
        writer.varint(reference.cluster * 2);
        writer.u8(reference.item);
      }
    }
    writer.raw(spec.ops);
    return writer.take();
  });
  const lengths = new Uint8Array(items.length * 2);
  const view = new DataView(lengths.buffer);
  items.forEach((item, i) => {
    view.setUint16(i * 2, item.length, true);
  });
  return Buffer.concat([lengths, ...items]);
}
