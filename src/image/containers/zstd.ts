// Reads what lies inside of Zstandard frames, from a stream of any pieces and with bounded memory:
// the window, half of it again, and a block. No dictionaries, no windows above 128 MiB. Whether
// bytes are compressed at all is asked elsewhere (open.ts, peek.ts).
import { PagefoldError } from "../../core/errors.ts";
import { PieceReader } from "../../core/piecereader.ts";
import {
  decodeZstdBlockHead,
  decodeZstdFrameHead,
  ZSTD_BLOCK_HEAD_BYTES,
  ZSTD_CHECKSUM_BYTES,
  ZSTD_MAGIC_BYTES,
  type ZstdFrameHead,
  zstdFrameHeadBytes,
  zstdMagic,
} from "../../core/zstdframe.ts";
import { ZSTD_MAX_WINDOW_BYTES } from "../../kernels/abi.ts";
import { compileKernels } from "../../kernels/load.ts";
import { type RunningChecksum, startChecksum } from "../../wire/checksum.ts";
import { ZstdBlocks } from "./zstdblocks.ts";
import { zstdReason } from "./zstdfaults.ts";

export interface ZstdOptions {
  /** What the bytes are called in messages. */
  readonly name: string;
  readonly signal?: AbortSignal | undefined;
}

/** Reads compressed streams, one after another, in the same memory. */
export class ZstdReader {
  private readonly wasm: Uint8Array | URL | undefined;
  private blocks: ZstdBlocks | undefined;

  /** The kernels are compiled when they are first needed; default: those of the package. */
  constructor(wasm?: Uint8Array | URL) {
    this.wasm = wasm;
  }

  /**
   * The content of all Zstandard frames in `bytes`, one after another, in pieces of up to 128 KiB.
   * A piece is valid until the next one is asked for. At least one frame is expected. One stream
   * has to be left before the next one is begun.
   */
  async *read(
    bytes: AsyncIterable<Uint8Array>,
    options: ZstdOptions,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const reader = this.open(bytes, options);
    try {
      while (await reader.open()) yield* reader.content();
    } finally {
      await reader.close();
    }
  }

  /** The bytes that `read` would give; decodes only frames that do not say how many they hold. */
  async contentBytes(bytes: AsyncIterable<Uint8Array>, options: ZstdOptions): Promise<number> {
    const reader = this.open(bytes, options);
    let byteLength = 0;
    try {
      while (await reader.open()) byteLength += await reader.contentBytes();
    } finally {
      await reader.close();
    }
    return byteLength;
  }

  private open(bytes: AsyncIterable<Uint8Array>, { name, signal }: ZstdOptions): FrameReader {
    this.blocks ??= new ZstdBlocks(compileKernels(this.wasm));
    return new FrameReader(new PieceReader(bytes, signal), name, this.blocks);
  }
}

class FrameReader {
  private readonly pieces: PieceReader;
  private readonly name: string;
  private readonly blocks: ZstdBlocks;
  private head: ZstdFrameHead | undefined;
  /** Frames so far, skippable ones too, and those with content. */
  private frames = 0;
  private fullFrames = 0;
  /** Where the frame begins, and where the block. */
  private frameOffset = 0;
  private blockOffset = 0;
  private doneBytes = 0;

  constructor(pieces: PieceReader, name: string, blocks: ZstdBlocks) {
    this.pieces = pieces;
    this.name = name;
    this.blocks = blocks;
  }

  async close(): Promise<void> {
    await this.pieces.close();
  }

  /** Goes to the next frame and reads its head; false at the end. */
  async open(): Promise<boolean> {
    for (;;) {
      this.frameOffset = this.pieces.position;
      const magic = await this.pieces.take(ZSTD_MAGIC_BYTES);
      if (magic.length === 0 && this.fullFrames > 0) return false;
      const kind = zstdMagic(magic);
      if (kind === "other") throw this.noFrame(magic);
      this.frames++;
      if (kind === "frame") {
        this.fullFrames++;
        await this.readHead();
        return true;
      }
      const size = await this.exactly(4);
      const byteLength = new DataView(size.buffer, size.byteOffset, 4).getUint32(0, true);
      await this.skip(byteLength);
    }
  }

  /** The content of the frame that was opened. */
  async *content(): AsyncGenerator<Uint8Array, void, undefined> {
    const { head } = this;
    if (head === undefined) return;
    const checksum = head.hasChecksum ? await startChecksum() : undefined;
    this.doneBytes = 0;
    for (let number = 1, isLast = false; !isLast; number++) {
      const block = await this.blockHead(head, number);
      const { kind, size, storedBytes } = block;
      isLast = block.isLast;
      await this.fill(this.blocks.input(storedBytes));
      const piece = kind === "raw" ? this.blocks.raw(size) : this.decode(kind, size, number);
      this.doneBytes += piece.length;
      if (this.doneBytes > (head.contentBytes ?? Infinity)) throw this.badSize(head);
      checksum?.update(piece);
      if (piece.length > 0) yield piece;
    }
    if (this.doneBytes < (head.contentBytes ?? 0)) throw this.badSize(head);
    if (checksum) await this.check(checksum);
  }

  /** Goes to the end of the frame that was opened; the bytes of its content. */
  async contentBytes(): Promise<number> {
    const { head } = this;
    if (head?.contentBytes === undefined) {
      for await (const _ of this.content());
      return this.doneBytes;
    }
    for (let number = 1, isLast = false; !isLast; number++) {
      const block = await this.blockHead(head, number);
      isLast = block.isLast;
      await this.skip(block.storedBytes);
    }
    if (head.hasChecksum) await this.skip(ZSTD_CHECKSUM_BYTES);
    return head.contentBytes;
  }

  private async blockHead(head: ZstdFrameHead, number: number) {
    this.blockOffset = this.pieces.position;
    const block = decodeZstdBlockHead(await this.exactly(ZSTD_BLOCK_HEAD_BYTES));
    const { kind, size } = block;
    if (kind === "reserved") throw this.badBlock(number, "it is of a reserved kind");
    if (size > head.maxBlockBytes) {
      throw this.badBlock(number, `it has ${size} bytes, the limit is ${head.maxBlockBytes}`);
    }
    return { ...block, kind };
  }

  private decode(kind: "repeated" | "compressed", size: number, number: number): Uint8Array {
    if (kind === "repeated") return this.blocks.repeated(size);
    const piece = this.blocks.compressed(size);
    if (typeof piece === "number") throw this.badBlock(number, zstdReason(piece));
    return piece;
  }

  private async readHead(): Promise<void> {
    const [descriptor] = await this.exactly(1);
    const bytes = await this.exactly(zstdFrameHeadBytes(descriptor));
    const head = decodeZstdFrameHead(descriptor, bytes);
    if (!head) {
      throw new PagefoldError("FORMAT", `${this.what}: the reserved bit of its head is set`);
    }
    if (head.dictionary !== 0) {
      const reason = `it needs the dictionary ${head.dictionary}; dictionaries are not supported`;
      throw new PagefoldError("FORMAT", `${this.what}: ${reason}`);
    }
    if (head.windowBytes > ZSTD_MAX_WINDOW_BYTES) {
      const reason = `its window is ${head.windowBytes} bytes, the limit ${ZSTD_MAX_WINDOW_BYTES}`;
      throw new PagefoldError("LIMIT", `${this.what}: ${reason}`);
    }
    this.head = head;
    this.blocks.beginFrame(head);
  }

  /** The frame holds the low half of the hash. */
  private async check(checksum: RunningChecksum): Promise<void> {
    const stored = await this.exactly(ZSTD_CHECKSUM_BYTES);
    const wanted = new DataView(stored.buffer, stored.byteOffset, 4).getUint32(0, true);
    const found = Number(BigInt.asUintN(32, checksum.digest()));
    if (found === wanted) return;
    const [is, says] = [found, wanted].map((sum) => sum.toString(16).padStart(8, "0"));
    throw this.damage(`its content has the checksum ${is}, the frame says ${says}`);
  }

  private async exactly(byteLength: number): Promise<Uint8Array> {
    const bytes = await this.pieces.take(byteLength);
    if (bytes.length < byteLength) throw this.truncated();
    return bytes;
  }

  private async skip(byteLength: number): Promise<void> {
    if ((await this.pieces.skip(byteLength)) < byteLength) throw this.truncated();
  }

  private async fill(into: Uint8Array): Promise<void> {
    into.set(await this.exactly(into.length));
  }

  private get what(): string {
    return `${this.name}: Zstandard frame ${this.frames} at byte ${this.frameOffset}`;
  }

  private damage(reason: string): PagefoldError {
    return new PagefoldError("DAMAGED", `${this.what}: ${reason}`);
  }

  private badBlock(number: number, reason: string): PagefoldError {
    return this.damage(`block ${number} at byte ${this.blockOffset}: ${reason}`);
  }

  private badSize(head: ZstdFrameHead): PagefoldError {
    const isMore = this.doneBytes > (head.contentBytes ?? 0);
    const there = `${this.doneBytes}${isMore ? " or more" : ""}`;
    return this.damage(`its content has ${there} bytes, its head says ${head.contentBytes}`);
  }

  private truncated(): PagefoldError {
    return this.damage(`truncated: the input ends after ${this.pieces.position} bytes`);
  }

  /** Also for an input that is empty, or has nothing but skippable frames. */
  private noFrame(magic: Uint8Array): PagefoldError {
    if (this.frames === 0) {
      return new PagefoldError("FORMAT", `${this.name}: is not compressed with Zstandard`);
    }
    if (magic.length === 0) {
      const reason = "has skippable Zstandard frames and no content";
      return new PagefoldError("FORMAT", `${this.name}: ${reason}`);
    }
    const reason = `${magic.length} bytes at offset ${this.frameOffset} begin no Zstandard frame`;
    return new PagefoldError("DAMAGED", `${this.name}: ${reason}`);
  }
}
