// Reads every byte of an archive and every page of its images once and reports what is not as its
// checksum says. Damage is an answer here; only failing reads, an abort and a base that is missing
// are errors.
import type { LostRange, RandomAccess, VerifyOptions, VerifyReport } from "../api.ts";
import { ByteReader } from "../core/bytes.ts";
import { PagefoldError } from "../core/errors.ts";
import { BatchType } from "../wire/batch.ts";
import { loadChecksum } from "../wire/checksum.ts";
import { decodeEndHead, decodeImageHead } from "../wire/imagehead.ts";
import { decodeContents, decodeDirectory, decodeLeaf, decodePlaces } from "../wire/indexhead.ts";
import { readPagesHead } from "../wire/records.ts";
import { type ArchiveState, decodeFooter } from "../wire/superblock.ts";
import { type BaseImage, openBase } from "./base.ts";
import { ReadAhead } from "./bytesource.ts";
import { CheckedClusters, damageIn } from "./checkedclusters.ts";
import { ClusterReader } from "./content.ts";
import { openDecodeMemory } from "./decodememory.ts";
import { type RecoveredIndex, recoverIndex } from "./openindex.ts";
import { verifyImage } from "./verifyimage.ts";
import { type WalkedBatch, walkBatches } from "./walk.ts";

/** Bytes read at a time. */
const WINDOW_BYTES = 1 << 20;
const PROGRESS_MS = 100;

/** `name` stands before messages. Throws FORMAT when the bytes are no archive at all. */
export async function verifyArchive(
  access: RandomAccess,
  name: string,
  options: VerifyOptions = {},
  wasm?: Uint8Array | URL,
): Promise<VerifyReport> {
  const startMs = performance.now();
  const { signal } = options;
  const faults = new Set<string>();
  const onFault = (fault: string) => void faults.add(fault);
  const recovered = await recoverIndex(access, name, onFault, signal);
  const { index, byteLength } = recovered;
  const memory = openDecodeMemory(wasm);
  const reader = new ClusterReader(access, index, memory);
  await using base = await baseFor(recovered, options, wasm);
  const reading = { signal, base };
  const clusters = new CheckedClusters(reader, reading);
  await checkBatches(access, recovered, clusters, onFault, options);
  const images: VerifyReport["images"] = [];
  const lost: LostRange[] = [];
  for (const [image, { head, byteLength: imageBytes }] of index.images.entries()) {
    const verdict = await verifyImage({ index, reader, clusters, memory }, image, reading);
    if (verdict.fault !== undefined) onFault(verdict.fault);
    lost.push(...verdict.lost);
    images.push({ name: head.name, byteLength: imageBytes, intact: verdict.intact });
  }
  const checkedBytes = Math.min(byteLength, access.size);
  options.onProgress?.({
    image: images.at(-1)?.name ?? "",
    doneBytes: checkedBytes,
    totalBytes: checkedBytes,
    writtenBytes: 0,
  });
  return {
    intact: faults.size === 0 && images.every(({ intact }) => intact),
    images,
    faults: [...faults],
    lost,
    checkedBytes,
    elapsedMs: performance.now() - startMs,
  };
}

async function baseFor(
  { index }: RecoveredIndex,
  { base, signal }: VerifyOptions,
  wasm: Uint8Array | URL | undefined,
): Promise<BaseImage | undefined> {
  const based = index.images.filter(({ head }) => head.base !== undefined);
  if (based.length === 0) return undefined;
  const { head } = based[0];
  if (!base) {
    const reason = `was made against ${head.base?.name}, which is needed`;
    throw new PagefoldError("BASE", `${head.name}: ${reason}`);
  }
  for (const other of based) {
    if (
      Buffer.compare(other.head.base?.checksum as Uint8Array, head.base?.checksum as Uint8Array)
    ) {
      const names = `${head.name} and ${other.head.name}`;
      throw new PagefoldError("BASE", `${names} were made against different images`);
    }
  }
  return openBase(base, { name: head.name, base: head.base }, { signal, wasm });
}

/** Walks all batches: every checksum, every head, every cluster. */
async function checkBatches(
  access: RandomAccess,
  { state, byteLength: end }: RecoveredIndex,
  clusters: CheckedClusters,
  onFault: (fault: string) => void,
  { signal, onProgress }: VerifyOptions,
): Promise<void> {
  const checksum = await loadChecksum();
  const bytes = new ReadAhead(access, end, WINDOW_BYTES, signal);
  let last: WalkedBatch | undefined;
  let image = "";
  let toldMs = performance.now();
  for await (const batch of walkBatches({ bytes, end, checksum, onFault })) {
    last = batch;
    try {
      image = (await checkBatch(batch, bytes, clusters, onFault)) ?? image;
    } catch (error) {
      onFault(damageIn(error));
    }
    if (performance.now() - toldMs < PROGRESS_MS) continue;
    toldMs = performance.now();
    onProgress?.({ image, doneBytes: batch.endOffset, totalBytes: end, writtenBytes: 0 });
  }
  if (last?.header.type !== BatchType.FOOTER || last.endOffset !== end) {
    onFault("footer: is not the last batch");
  } else if (state && !isFooterOf(state.generation, decodeFooter(last.head, last.what))) {
    onFault(`${last.what}: is not of generation ${state.generation}`);
  }
}

/** The first append to a piped archive commits it as generation 1 before it adds anything. */
function isFooterOf(generation: number, footer: ArchiveState): boolean {
  return footer.generation === generation || (footer.generation === 0 && generation === 1);
}

/** Checks what is in a batch. Returns the name of the image that begins with it. */
async function checkBatch(
  batch: WalkedBatch,
  bytes: ReadAhead,
  clusters: CheckedClusters,
  onFault: (fault: string) => void,
): Promise<string | undefined> {
  const { head, header, what } = batch;
  switch (header.type) {
    case BatchType.IMAGE:
      return decodeImageHead(head, what).name;
    case BatchType.PAGES:
      await checkClusters(batch, bytes, clusters, onFault);
      return undefined;
    case BatchType.END:
      decodeEndHead(head, what);
      return undefined;
    case BatchType.LEAF:
      decodeLeaf(head, what);
      return undefined;
    case BatchType.PLACES:
      decodePlaces(head, what);
      return undefined;
    case BatchType.CONTENTS: {
      const { firstCluster, clusterCount, fingerprints } = decodeContents(head, what);
      const wrong = clusters.firstDifference(firstCluster, clusterCount, fingerprints);
      if (wrong !== undefined) onFault(`${what}: cluster ${wrong}: wrong fingerprints`);
      return undefined;
    }
    case BatchType.DIRECTORY:
      decodeDirectory(head, what);
      return undefined;
    case BatchType.FOOTER: {
      const { committedLength } = decodeFooter(head, what);
      if (committedLength !== batch.endOffset) onFault(`${what}: ends another archive`);
      return undefined;
    }
  }
}

async function checkClusters(
  batch: WalkedBatch,
  bytes: ReadAhead,
  clusters: CheckedClusters,
  onFault: (fault: string) => void,
): Promise<void> {
  const pages = readPagesHead(new ByteReader(batch.head, batch.what), batch.header.bodyBytes);
  let byteOffset = batch.bodyOffset;
  for (const [i, entry] of pages.clusters.entries()) {
    const place = { byteOffset, ...entry };
    const clusterBytes = await bytes.bytes(byteOffset, entry.byteLength);
    for (const fault of await clusters.check(pages.firstCluster + i, place, clusterBytes)) {
      onFault(fault);
    }
    byteOffset += entry.byteLength;
  }
}
