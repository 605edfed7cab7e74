// Keeps the clusters of a stream, still compressed, for later records that name them: in memory up
// to a share, beyond it in a file that has no name any more, so that nothing is left behind.
import { randomBytes } from "node:crypto";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { RandomAccess } from "../api.ts";
import { PagefoldError, reasonOf } from "../core/errors.ts";
import type { ClusterSeals } from "../core/seal.ts";
import type { ClusterPlace } from "../wire/indexhead.ts";
import type { ClusterEntry } from "../wire/records.ts";

/** Memory is taken in blocks of this size. */
const BLOCK_BYTES = 1 << 20;

/** Clusters that came one after another. */
interface Segment {
  readonly firstCluster: number;
  /** Index of the first one among all that are kept. */
  readonly firstKept: number;
}

export class ClusterStore implements RandomAccess, AsyncDisposable {
  /** Bytes kept so far. */
  size = 0;
  /** What opens them, if they are sealed; they are kept as they came. */
  seals: ClusterSeals | undefined;
  private readonly memoryBytes: number;
  private readonly directory: string;
  private readonly blocks: Uint8Array[] = [];
  private file: FileHandle | undefined;
  private readonly segments: Segment[] = [];
  /** By order of arrival: where a cluster begins, its bytes, and its items × 2 + deltas. */
  private offsets = new Float64Array(1024);
  private lengths = new Uint32Array(1024);
  private kinds = new Uint16Array(1024);
  private kept = 0;

  /** Beyond `memoryBytes`, bytes go to a nameless file in `directory`. */
  constructor(memoryBytes: number, directory: string) {
    this.memoryBytes = Math.floor(memoryBytes / BLOCK_BYTES) * BLOCK_BYTES;
    this.directory = directory;
  }

  /** True once something had to go to the file. */
  get isSpilled(): boolean {
    return this.file !== undefined;
  }

  /** Number of the next cluster, if none is missing. */
  get clusterCount(): number {
    const last = this.segments.at(-1);
    return last ? last.firstCluster + this.kept - last.firstKept : 0;
  }

  /** Takes a copy of a cluster. Numbers rise; a gap is what a damaged stream has lost. */
  async add(cluster: number, entry: ClusterEntry, bytes: Uint8Array): Promise<void> {
    if (cluster < this.clusterCount) damaged(cluster, "comes a second time");
    if (cluster > this.clusterCount || this.segments.length === 0) {
      this.segments.push({ firstCluster: cluster, firstKept: this.kept });
    }
    this.reserve();
    const index = this.kept++;
    this.lengths[index] = bytes.length;
    this.kinds[index] = entry.itemCount * 2 + (entry.isDeltas ? 1 : 0);
    this.offsets[index] = await this.put(bytes);
  }

  /** Takes a copy of any bytes; returns where they can be read. */
  async put(bytes: Uint8Array): Promise<number> {
    const byteOffset = this.size;
    for (let done = 0; done < bytes.length; ) {
      done += await this.append(bytes.subarray(done));
    }
    return byteOffset;
  }

  async placeOf(cluster: number): Promise<ClusterPlace> {
    const segment = this.segmentOf(cluster) ?? damaged(cluster, "is not there");
    const index = segment.firstKept + cluster - segment.firstCluster;
    const next = this.segments[this.segments.indexOf(segment) + 1];
    if (index >= (next?.firstKept ?? this.kept)) damaged(cluster, "is not there");
    const byteOffset = this.offsets[index];
    const byteLength = this.lengths[index];
    const kind = this.kinds[index];
    return { byteOffset, byteLength, itemCount: kind >> 1, isDeltas: (kind & 1) === 1 };
  }

  async read(offset: number, into: Uint8Array): Promise<number> {
    if (offset < this.memoryBytes) {
      const start = offset % BLOCK_BYTES;
      const block = this.blocks[Math.floor(offset / BLOCK_BYTES)];
      const part = block.subarray(start, Math.min(BLOCK_BYTES, start + into.length));
      into.set(part);
      return part.length;
    }
    if (!this.file) return 0;
    const at = offset - this.memoryBytes;
    return (await this.file.read(into, 0, into.length, at)).bytesRead;
  }

  async close(): Promise<void> {
    await this.file?.close();
    this.file = undefined;
    this.blocks.length = 0;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Appends some of `bytes`; returns how many. */
  private async append(bytes: Uint8Array): Promise<number> {
    let count: number;
    if (this.size < this.memoryBytes) {
      const start = this.size % BLOCK_BYTES;
      if (start === 0) this.blocks.push(new Uint8Array(BLOCK_BYTES));
      const part = bytes.subarray(0, BLOCK_BYTES - start);
      this.blocks[this.blocks.length - 1].set(part, start);
      count = part.length;
    } else {
      count = await this.spill(bytes, this.size - this.memoryBytes);
    }
    this.size += count;
    return count;
  }

  private async spill(bytes: Uint8Array, at: number): Promise<number> {
    try {
      this.file ??= await nameless(this.directory);
      return (await this.file.write(bytes, 0, bytes.length, at)).bytesWritten;
    } catch (error) {
      const what = `${this.directory}: clusters that do not fit into memory`;
      throw new PagefoldError("OUTPUT", `${what}: ${reasonOf(error)}`, { cause: error });
    }
  }

  private segmentOf(cluster: number): Segment | undefined {
    return this.segments.findLast(({ firstCluster }) => firstCluster <= cluster);
  }

  private reserve(): void {
    if (this.kept < this.offsets.length) return;
    const { offsets, lengths, kinds } = this;
    this.offsets = new Float64Array(offsets.length * 2);
    this.offsets.set(offsets);
    this.lengths = new Uint32Array(lengths.length * 2);
    this.lengths.set(lengths);
    this.kinds = new Uint16Array(kinds.length * 2);
    this.kinds.set(kinds);
  }
}

/** A file for its owner alone, gone from the directory before anything is in it. */
async function nameless(directory: string): Promise<FileHandle> {
  const path = join(directory, `.pagefold-${randomBytes(8).toString("hex")}`);
  const handle = await open(path, "wx+", 0o600);
  await unlink(path);
  return handle;
}

function damaged(cluster: number, reason: string): never {
  throw new PagefoldError("DAMAGED", `cluster ${cluster}: ${reason}`);
}
