// Pages by slot: fetches clusters by place, tests and decodes them in the calling thread, and
// applies deltas. A delta names pages that are stored without references, or pages of the base.
import type { RandomAccess } from "../api.ts";
import { PagefoldError } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { ClusterKeys } from "../core/seal.ts";
import type { PageSource } from "../image/image.ts";
import { FINGERPRINT_BYTES } from "../kernels/abi.ts";
import { decodeCluster, itemRange } from "../pool/decodecluster.ts";
import { applyDelta, type DeltaReference, readReferences } from "../pool/deltaitem.ts";
import { openCluster } from "../pool/sealedcluster.ts";
import type { ClusterPlace } from "../wire/indexhead.ts";
import { readRange } from "./bytesource.ts";
import type { DecodeMemory } from "./decodememory.ts";
import type { ArchiveIndex } from "./index.ts";
import { RecentlyUsed } from "./recentlyused.ts";

/** Decoded clusters that are kept: at most 16 MiB of content, mostly much less. */
const CACHED_CLUSTERS = 16;

/** A decoded cluster in private memory. */
export interface ClusterContent {
  readonly itemCount: number;
  readonly isDeltas: boolean;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly base?: PageSource | undefined;
}

export class ClusterReader {
  private readonly access: RandomAccess;
  private readonly index: Pick<ArchiveIndex, "placeOf" | "seals">;
  private readonly memory: DecodeMemory;
  private keys: ClusterKeys | undefined;
  private readonly contents = new RecentlyUsed<number, ClusterContent>(CACHED_CLUSTERS);

  constructor(
    access: RandomAccess,
    index: Pick<ArchiveIndex, "placeOf" | "seals">,
    memory: DecodeMemory,
  ) {
    this.access = access;
    this.index = index;
    this.memory = memory;
  }

  /** The content of a cluster. Throws DAMAGED. */
  async content(cluster: number, signal?: AbortSignal): Promise<ClusterContent> {
    const held = this.contents.get(cluster);
    if (held) return held;
    const place = await this.index.placeOf(cluster, signal);
    const { byteOffset, byteLength } = place;
    const bytes = await readRange(
      this.access,
      byteOffset,
      byteLength,
      `cluster ${cluster}`,
      signal,
    );
    return this.decode(cluster, place, bytes);
  }

  /** Tests and decodes a cluster from its bytes, header included. Throws DAMAGED. */
  decode(cluster: number, place: ClusterPlace, bytes: Uint8Array): ClusterContent {
    const { memory } = this;
    const { encoded, content, decoder } = memory.ptr;
    const target = (): number => content;
    memory.bytes.set(bytes, encoded);
    const { seals } = this.index;
    // A stream learns of more seals on its way.
    if (seals && this.keys?.seals !== seals) this.keys = new ClusterKeys(seals);
    const keys = seals && this.keys;
    let { length } = bytes;
    if (keys) length = openCluster(memory, keys, cluster, encoded, length, decoder, true);
    const wasSealed = keys !== undefined;
    const decoded = decodeCluster(memory, cluster, encoded, length, target, decoder, wasSealed);
    const { contentBytes, itemCount, isDeltas } = decoded;
    if (itemCount !== place.itemCount || isDeltas !== place.isDeltas) {
      damaged(`cluster ${cluster}`, `${itemCount} items, the index says ${place.itemCount}`);
    }
    const copy = new Uint8Array(contentBytes);
    copy.set(memory.bytes.subarray(content, content + contentBytes));
    const kept = { itemCount, isDeltas, bytes: copy };
    this.contents.set(cluster, kept, 1);
    return kept;
  }

  /** Puts items [item, item + count) of a cluster into `into`, count × 4096 bytes. */
  async readItems(
    cluster: number,
    item: number,
    count: number,
    into: Uint8Array,
    options: ReadOptions,
  ): Promise<void> {
    const content = await this.content(cluster, options.signal);
    if (item + count > content.itemCount) {
      damaged(`cluster ${cluster}`, `item ${item + count - 1} of ${content.itemCount}`);
    }
    if (!content.isDeltas) {
      into.set(content.bytes.subarray(item * PAGE_BYTES, (item + count) * PAGE_BYTES));
      return;
    }
    for (let i = 0; i < count; i++) {
      const page = into.subarray(i * PAGE_BYTES, (i + 1) * PAGE_BYTES);
      await this.readDelta(cluster, content, item + i, page, options);
    }
  }

  /** XXH3-128 of all items of a cluster: 16 bytes each. */
  async fingerprints(
    cluster: number,
    itemCount: number,
    options: ReadOptions,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const pages = new Uint8Array(itemCount * PAGE_BYTES);
    await this.readItems(cluster, 0, itemCount, pages, options);
    return this.fingerprintsOf(pages);
  }

  /** XXH3-128 of at most 256 pages: 16 bytes each. */
  fingerprintsOf(pages: Uint8Array): Uint8Array<ArrayBuffer> {
    const { kernels, bytes, ptr } = this.memory;
    const pageCount = pages.length / PAGE_BYTES;
    bytes.set(pages, ptr.content);
    kernels.fingerprintPages(ptr.content, pageCount, ptr.encoded);
    return new Uint8Array(bytes.subarray(ptr.encoded, ptr.encoded + pageCount * FINGERPRINT_BYTES));
  }

  /** The pages that the deltas of a cluster refer to, by item. */
  async references(cluster: number, signal?: AbortSignal): Promise<DeltaReference[][]> {
    const content = await this.content(cluster, signal);
    const items: DeltaReference[][] = [];
    for (let item = 0; item < content.itemCount; item++) {
      items.push(deltaOf(cluster, content, item).references);
    }
    return items;
  }

  private async readDelta(
    cluster: number,
    content: ClusterContent,
    item: number,
    into: Uint8Array,
    options: ReadOptions,
  ): Promise<void> {
    const { references, ops, name } = deltaOf(cluster, content, item);
    const pages: Uint8Array[] = [];
    for (const reference of references) {
      pages.push(await this.referencePage(cluster, reference, name, options));
    }
    const { memory } = this;
    const { encoded, results, page } = memory.ptr;
    memory.bytes.set(ops, encoded);
    pages.forEach((bytes, i) => {
      const target = memory.ptr.references + i * PAGE_BYTES;
      memory.bytes.set(bytes, target);
      memory.view.setUint32(results + i * 4, target, true);
    });
    applyDelta(memory, encoded, ops.length, results, pages.length, page, name);
    into.set(memory.bytes.subarray(page, page + PAGE_BYTES));
  }

  private async referencePage(
    cluster: number,
    reference: DeltaReference,
    name: string,
    options: ReadOptions,
  ): Promise<Uint8Array> {
    if ("baseFrame" in reference) {
      const page = new Uint8Array(PAGE_BYTES);
      await readBase(reference.baseFrame, 1, page, options);
      return page;
    }
    const slot = `item ${reference.item} of cluster ${reference.cluster}`;
    if (reference.cluster >= cluster) damaged(name, `refers forwards, to ${slot}`);
    const content = await this.content(reference.cluster, options.signal);
    if (content.isDeltas) damaged(name, `refers to a delta, ${slot}`);
    if (reference.item >= content.itemCount) damaged(name, `refers to ${slot}, which is not there`);
    const start = reference.item * PAGE_BYTES;
    return content.bytes.subarray(start, start + PAGE_BYTES);
  }
}

/** Reads frames of the base image; BASE when there is none or it has no such frames. */
export async function readBase(
  frame: number,
  count: number,
  into: Uint8Array,
  { base, signal }: ReadOptions,
): Promise<void> {
  if (!base) throw new PagefoldError("BASE", `frame ${frame} of the base image is needed`);
  if (frame + count > base.frameCount) {
    const reason = `the base image has ${base.frameCount} frames`;
    throw new PagefoldError("BASE", `frame ${frame + count - 1} is needed, ${reason}`);
  }
  await base.read(frame, count, into, signal);
}

function deltaOf(cluster: number, content: ClusterContent, item: number) {
  const { bytes, itemCount, isDeltas } = content;
  const name = `cluster ${cluster} item ${item}`;
  const view = new DataView(bytes.buffer);
  const decoded = { ptr: 0, contentBytes: bytes.length, itemCount, isDeltas };
  const range = itemRange(view, decoded, item) ?? damaged(name, "lies outside of its cluster");
  const { references, opsOffset } = readReferences(view, range.ptr, range.byteLength, name);
  const ops = bytes.subarray(range.ptr + opsOffset, range.ptr + range.byteLength);
  return { references, ops, name };
}

function damaged(what: string, reason: string): never {
  throw new PagefoldError("DAMAGED", `${what}: ${reason}`);
}
