// The file of an epoch: patches and device state under a head that seals them. A redo leads from
// the epoch before to this one; an undo leads back. Encoding and decoding; nothing of memory.
//
//   0   "PFEPOCH1"             56  u64 XXH64 of the device state
//   8   u8 1 redo, 2 undo      64  16 checksum of the memory that the patches lead to
//   9   u8 1 full: no patches, the memory came as a whole
//   10  u8 output, u8 0        80  u64 changed pages
//   12  u32 chunks             88  u64 changed blocks
//   16  u64 epoch              96  24 × 0
//   24  u64 time, ms           120 u64 XXH64 of bytes 0–119
//   32  u64 bytes of chunks    128 chunks, device state
//   40  u64 bytes of device state         48  u64 0
//
// A chunk: u64 XXH64 of what follows it, u32 length, u32 0, a patch.
import { PagefoldError } from "../core/errors.ts";
import { type Checksum, loadChecksum } from "../wire/checksum.ts";
import { EPOCH_OUTPUTS, type EpochOutput } from "../wire/epochheads.ts";
import { MAX_PATCH_BYTES, openPatch, type Patch } from "./patch.ts";
import type { StoreFile, StoreFiles } from "./storefiles.ts";

const MAGIC = new TextEncoder().encode("PFEPOCH1");
export const EPOCH_HEAD_BYTES = 128;
const SEAL_AT = 120;
const CHUNK_HEAD_BYTES = 16;
export const MAX_DEVICE_STATE_BYTES = 1 << 28;

export type EpochKind = "redo" | "undo";

export interface EpochHead {
  readonly kind: EpochKind;
  readonly isFull: boolean;
  readonly epoch: number;
  readonly timeMs: number;
  readonly pageCount: number;
  readonly blockCount: number;
  readonly chunkBytes: number;
  readonly deviceBytes: number;
  /** Of the memory that the patches lead to. */
  readonly checksum: Uint8Array;
  readonly output: EpochOutput;
}

export const epochName = (epoch: number, kind: EpochKind): string => `epoch-${epoch}.${kind}`;
export const TEMPORARY = ".tmp";

/** A patch, and where in the file its blocks begin. */
export interface PlacedPatch {
  readonly patch: Patch;
  readonly blocksAt: number;
}

/** Writes an epoch under a temporary name; it counts when it was sealed, and renamed. */
export class EpochFileWriter {
  pageCount = 0;
  blockCount = 0;
  private chunkCount = 0;
  private end = EPOCH_HEAD_BYTES;
  private readonly files: StoreFiles;
  private readonly file: StoreFile;
  private readonly name: string;
  private readonly hash: Checksum;
  private isClosed = false;

  private constructor(files: StoreFiles, file: StoreFile, name: string, hash: Checksum) {
    this.files = files;
    this.file = file;
    this.name = name;
    this.hash = hash;
  }

  static async create(files: StoreFiles, name: string): Promise<EpochFileWriter> {
    const file = await files.open(name + TEMPORARY, "create");
    return new EpochFileWriter(files, file, name, await loadChecksum());
  }

  get chunkBytes(): number {
    return this.end - EPOCH_HEAD_BYTES;
  }

  async add(bytes: Uint8Array, { pageCount, blockCount }: Patch): Promise<void> {
    const chunk = new Uint8Array(CHUNK_HEAD_BYTES + bytes.length);
    const view = new DataView(chunk.buffer);
    view.setUint32(8, bytes.length, true);
    chunk.set(bytes, CHUNK_HEAD_BYTES);
    view.setBigUint64(0, this.hash(chunk.subarray(8)), true);
    const start = this.end;
    this.end += chunk.length;
    this.chunkCount++;
    this.pageCount += pageCount;
    this.blockCount += blockCount;
    await this.file.write(chunk, start);
  }

  /** Makes it durable under its name: after this it counts. */
  async seal(
    head: Pick<EpochHead, "kind" | "isFull" | "epoch" | "timeMs" | "checksum" | "output">,
    deviceState: Uint8Array,
  ): Promise<void> {
    await this.file.write(deviceState, this.end);
    const bytes = new Uint8Array(EPOCH_HEAD_BYTES);
    const view = new DataView(bytes.buffer);
    bytes.set(MAGIC);
    view.setUint8(8, head.kind === "redo" ? 1 : 2);
    view.setUint8(9, head.isFull ? 1 : 0);
    view.setUint8(10, EPOCH_OUTPUTS.indexOf(head.output));
    view.setUint32(12, this.chunkCount, true);
    view.setBigUint64(16, BigInt(head.epoch), true);
    view.setBigUint64(24, BigInt(head.timeMs), true);
    view.setBigUint64(32, BigInt(this.chunkBytes), true);
    view.setBigUint64(40, BigInt(deviceState.length), true);
    view.setBigUint64(56, this.hash(deviceState), true);
    bytes.set(head.checksum, 64);
    view.setBigUint64(80, BigInt(this.pageCount), true);
    view.setBigUint64(88, BigInt(this.blockCount), true);
    view.setBigUint64(SEAL_AT, this.hash(bytes.subarray(0, SEAL_AT)), true);
    await this.file.write(bytes, 0);
    await this.file.sync();
    await this.close();
    await this.files.rename(this.name + TEMPORARY, this.name);
    await this.files.sync();
  }

  /** Removes what is there under the temporary name. */
  async discard(): Promise<void> {
    await this.close().catch(() => undefined);
    await this.files.remove(this.name + TEMPORARY).catch(() => undefined);
  }

  private async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    await this.file.close();
  }
}

/** Reads an epoch; DAMAGED, with the file and its bytes, when it is not what was sealed. */
export class EpochFileReader {
  readonly head: EpochHead;
  private readonly path: string;
  private readonly file: StoreFile;
  private readonly hash: Checksum;
  private readonly chunkCount: number;
  private readonly deviceSum: bigint;

  private constructor(path: string, file: StoreFile, bytes: Uint8Array, hash: Checksum) {
    this.path = path;
    this.file = file;
    this.hash = hash;
    const view = new DataView(bytes.buffer);
    const number = (at: number) => Number(view.getBigUint64(at, true));
    this.chunkCount = view.getUint32(12, true);
    this.deviceSum = view.getBigUint64(56, true);
    this.head = {
      kind: bytes[8] === 1 ? "redo" : "undo",
      isFull: bytes[9] === 1,
      output: EPOCH_OUTPUTS[bytes[10]],
      epoch: number(16),
      timeMs: number(24),
      chunkBytes: number(32),
      deviceBytes: number(40),
      checksum: bytes.slice(64, 80),
      pageCount: number(80),
      blockCount: number(88),
    };
  }

  static async open(files: StoreFiles, epoch: number, kind: EpochKind): Promise<EpochFileReader> {
    const name = epochName(epoch, kind);
    const path = `${files.path}/${name}`;
    const file = await files.open(name, "read");
    try {
      const bytes = new Uint8Array(EPOCH_HEAD_BYTES);
      const hash = await loadChecksum();
      const there = await file.read(bytes, 0);
      if (there < bytes.length) throw damaged(path, there, bytes.length, "are missing");
      const sealed = new DataView(bytes.buffer).getBigUint64(SEAL_AT, true);
      const isSealed = hash(bytes.subarray(0, SEAL_AT)) === sealed;
      if (!isSealed || Buffer.compare(bytes.subarray(0, 8), MAGIC) !== 0) {
        throw damaged(path, 0, bytes.length, "fail their checksum");
      }
      const reader = new EpochFileReader(path, file, bytes, hash);
      const { head } = reader;
      if (head.epoch !== epoch || head.kind !== kind) {
        throw damaged(path, 8, 24, `say ${head.kind} of epoch ${head.epoch}`);
      }
      const { byteLength } = await file.size();
      const end = EPOCH_HEAD_BYTES + head.chunkBytes + head.deviceBytes;
      if (byteLength < end) throw damaged(path, byteLength, end, "are missing");
      if (byteLength > end) throw damaged(path, end, byteLength, "are too many");
      return reader;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** All patches in order, for a memory of `frameCount` frames. */
  async *patches(frameCount: number): AsyncGenerator<PlacedPatch> {
    const end = EPOCH_HEAD_BYTES + this.head.chunkBytes;
    let at = EPOCH_HEAD_BYTES;
    for (let i = 0; i < this.chunkCount; i++) {
      const head = await this.range(at, Math.min(at + CHUNK_HEAD_BYTES, end), CHUNK_HEAD_BYTES);
      const view = new DataView(head.buffer);
      const length = view.getUint32(8, true);
      const start = at + CHUNK_HEAD_BYTES;
      if (length > MAX_PATCH_BYTES || start + length > end) {
        throw damaged(this.path, at, start, `speak of ${length} bytes`);
      }
      const bytes = await this.range(start, start + length, length);
      if (this.hash(head.subarray(8), bytes) !== view.getBigUint64(0, true)) {
        throw damaged(this.path, at, start + length, "fail their checksum");
      }
      const patch = openPatch(bytes, frameCount, `${this.path}: the patch from byte ${start} on`);
      yield { patch, blocksAt: start + length - patch.blocks.length };
      at = start + length;
    }
    if (at !== end) throw damaged(this.path, at, end, "belong to no patch");
  }

  async deviceState(): Promise<Uint8Array<ArrayBuffer>> {
    const start = EPOCH_HEAD_BYTES + this.head.chunkBytes;
    const { deviceBytes } = this.head;
    const bytes = await this.range(start, start + deviceBytes, deviceBytes);
    if (this.hash(bytes) !== this.deviceSum) {
      throw damaged(this.path, start, start + deviceBytes, "fail their checksum");
    }
    return bytes;
  }

  /** Bytes of the file, unchecked: blocks of a patch that was read before. */
  bytes(from: number, byteLength: number): Promise<Uint8Array<ArrayBuffer>> {
    return this.range(from, from + byteLength, byteLength);
  }

  close(): Promise<void> {
    return this.file.close();
  }

  private async range(from: number, to: number, wanted: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(to - from);
    const there = await this.file.read(bytes, from);
    if (there < wanted) throw damaged(this.path, from + there, from + wanted, "are missing");
    return bytes;
  }
}

/** Bytes [from, to) of a file are not what they should be. */
export function damaged(path: string, from: number, to: number, what: string): PagefoldError {
  return new PagefoldError("DAMAGED", `${path}: bytes ${from}–${to - 1} ${what}`);
}
