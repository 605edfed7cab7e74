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
import { decodeFooter } from "../wire/superblock.ts";
import { type BaseImage, openBase } from "./base.ts";
import { ReadAhead } from "./bytesource.ts";
import { CheckedClusters, damageIn } from "./checkedclusters.ts";
import { ClusterReader } from "./content.ts";
import { openDecodeMemory } from "./decodememory.ts";
import { isFooterOf } from "./open.ts";
import { type RecoveredIndex, recoverIndex } from "./openindex.ts";
import { type CheckingPool, PooledChecks } from "./pooledchecks.ts";
import { verifyImage } from "./verifyimage.ts";
import { type WalkedBatch, walkBatches } from "./walk.ts";

/** Bytes read at a time. */
const WINDOW_BYTES = 1 << 20;
const PROGRESS_MS = 100;

/**
 * `name` stands before messages. Throws FORMAT when the bytes are no archive at all. Without
 * `workers`, and for images with a base, all work is done in the calling thread.
 */
export async function verifyArchive(
  access: RandomAccess,
  name: string,
  options: VerifyOptions = {},
  wasm?: Uint8Array | URL,
  workers?: CheckingPool,
): Promise<VerifyReport> {
  const startMs = performance.now();
  const { signal } = options;
  const faults = new FaultList();
  const onFault = (fault: string) => faults.add([fault]);
  const recovered = await recoverIndex(access, name, onFault, signal, options.key);
  const { index, byteLength } = recovered;
  const memory = openDecodeMemory(wasm);
  const reader = new ClusterReader(access, index, memory);
  await using base = await baseFor(recovered, options, wasm);
  const reading = { signal, base };
  const clusters = new CheckedClusters(reader, reading);
  const pooled = workers && !base ? new PooledChecks(workers, index, clusters) : undefined;
  try {
    await checkBatches(access, recovered, { clusters, pooled, faults }, options);
    await faults.settle();
  } finally {
    await pooled?.close();
  }
  const images: VerifyReport["images"] = [];
  const lost: LostRange[] = [];
  for (const [image, { head, ...known }] of index.images.entries()) {
    const verdict = await verifyImage({ index, reader, clusters, memory }, image, reading);
    if (verdict.fault !== undefined) onFault(verdict.fault);
    lost.push(...verdict.lost);
    const { intact } = verdict;
    images.push({ name: head.name, byteLength: known.fileBytes ?? known.byteLength, intact });
  }
  await faults.settle();
  const checkedBytes = Math.min(byteLength, access.size);
  options.onProgress?.({
    image: images.at(-1)?.name ?? "",
    doneBytes: checkedBytes,
    totalBytes: checkedBytes,
    writtenBytes: 0,
  });
  return {
    intact: faults.all.length === 0 && images.every(({ intact }) => intact),
    images,
    faults: faults.all,
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

/** Faults in the order of the archive, however late workers tell of them. */
class FaultList {
  private readonly found: (string[] | Promise<string[]>)[] = [];
  private known = new Set<string>();

  get all(): string[] {
    return [...this.known];
  }

  add(faults: string[] | Promise<string[]>): void {
    this.found.push(faults);
  }

  /** Afterwards `all` has what was added. */
  async settle(): Promise<void> {
    for (const faults of await Promise.all(this.found)) {
      for (const fault of faults) this.known.add(fault);
    }
    this.found.length = 0;
  }
}

/** What checks clusters, and where faults go. */
interface Checks {
  readonly clusters: CheckedClusters;
  readonly pooled: PooledChecks | undefined;
  readonly faults: FaultList;
}

/** Walks all batches: every checksum, every head, every cluster. */
async function checkBatches(
  access: RandomAccess,
  { state, seal, byteLength: end }: RecoveredIndex,
  checks: Checks,
  { signal, onProgress }: VerifyOptions,
): Promise<void> {
  const onFault = (fault: string) => checks.faults.add([fault]);
  const checksum = await loadChecksum();
  const bytes = new ReadAhead(access, end, WINDOW_BYTES, signal);
  let last: WalkedBatch | undefined;
  let image = "";
  let toldMs = performance.now();
  for await (const batch of walkBatches({ bytes, end, checksum, seal, onFault })) {
    last = batch;
    try {
      image = (await checkBatch(batch, bytes, checks)) ?? image;
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

/** Checks what is in a batch. Returns the name of the image that begins with it. */
async function checkBatch(
  batch: WalkedBatch,
  bytes: ReadAhead,
  checks: Checks,
): Promise<string | undefined> {
  const { head, header, what } = batch;
  const onFault = (fault: string) => checks.faults.add([fault]);
  switch (header.type) {
    case BatchType.IMAGE:
      return decodeImageHead(head, what).name;
    case BatchType.PAGES:
      await checkClusters(batch, bytes, checks);
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
      await checks.pooled?.settle();
      const wrong = checks.clusters.firstDifference(firstCluster, clusterCount, fingerprints);
      if (wrong !== undefined) onFault(`${what}: cluster ${wrong}: wrong fingerprints`);
      return undefined;
    }
    case BatchType.DIRECTORY:
      decodeDirectory(head, what, header.nonce !== undefined);
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
  { clusters, pooled, faults }: Checks,
): Promise<void> {
  const pages = readPagesHead(new ByteReader(batch.head, batch.what), batch.header.bodyBytes);
  const { firstCluster } = pages;
  let byteOffset = batch.bodyOffset;
  const places = pages.clusters.map((entry) => {
    byteOffset += entry.byteLength;
    return { byteOffset: byteOffset - entry.byteLength, ...entry };
  });
  if (pooled?.takes(firstCluster + places.length)) {
    faults.add((await pooled.begin(firstCluster, places)).faults);
    return;
  }
  for (const [i, place] of places.entries()) {
    const clusterBytes = await bytes.bytes(place.byteOffset, place.byteLength);
    faults.add(await clusters.check(firstCluster + i, place, clusterBytes));
  }
}
