// Reads what lies inside of Zstandard frames, from a stream of any pieces and with bounded memory:
// the window, half of it again, and a block. No dictionaries, no windows above 128 MiB.
import { PagefoldError } from "../core/errors.ts";
import { PieceReader } from "../core/piecereader.ts";
import { ZSTD_MAX_WINDOW_BYTES } from "../kernels/abi.ts";
import { compileKernels } from "../kernels/load.ts";
import { type RunningChecksum, startChecksum } from "../wire/checksum.ts";
import {
  decodeZstdBlockHead,
  decodeZstdFrameHead,
  ZSTD_BLOCK_HEAD_BYTES,
  ZSTD_CHECKSUM_BYTES,
  ZSTD_MAGIC_BYTES,
  type ZstdFrameHead,
  zstdFrameHeadBytes,
  zstdMagic,
} from "../wire/zstdframe.ts";
import { ZstdBlocks } from "./zstdblocks.ts";
import { zstdReason } from "./zstdfaults.ts";

export interface ZstdOptions {
  /** What the bytes are called in messages. */
  readonly name: string;
  readonly signal?: AbortSignal;
}

/**
 * The content of all Zstandard frames in `bytes`, one after another, in pieces of up to 128 KiB.
 * A piece is valid until the next one is asked for. At least one frame is expected.
 */
export async function* readZstd(
  bytes: AsyncIterable<Uint8Array>,
  { name, signal }: ZstdOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = new FrameReader(new PieceReader(bytes, signal), name);
  try {
    while (await reader.open()) yield* reader.content();
  } finally {
    await reader.close();
  }
}

class FrameReader {
  private readonly pieces: PieceReader;
  private readonly name: string;
  private readonly blocks = new ZstdBlocks(compileKernels());
  private head: ZstdFrameHead | undefined;
  /** Frames so far, skippable ones too. */
  private frames = 0;
  private contentBytes = 0;

  constructor(pieces: PieceReader, name: string) {
    this.pieces = pieces;
    this.name = name;
  }

  async close(): Promise<void> {
    await this.pieces.close();
  }

  /** Goes to the next frame and reads its head; false at the end. */
  async open(): Promise<boolean> {
    for (;;) {
      const position = this.pieces.position;
      const magic = await this.pieces.take(ZSTD_MAGIC_BYTES);
      if (magic.length === 0 && this.frames > 0) return false;
      const kind = zstdMagic(magic);
      if (kind === "other") throw this.noFrame(magic, position);
      this.frames++;
      if (kind === "frame") {
        await this.readHead();
        return true;
      }
      const size = await this.exactly(4);
      const byteLength = new DataView(size.buffer, size.byteOffset, 4).getUint32(0, true);
      if ((await this.pieces.skip(byteLength)) < byteLength) throw this.truncated();
    }
  }

  /** The content of the frame that was opened. */
  async *content(): AsyncGenerator<Uint8Array, void, undefined> {
    const { head } = this;
    if (head === undefined) return;
    const checksum = head.hasChecksum ? await startChecksum() : undefined;
    this.contentBytes = 0;
    for (let number = 1, isLast = false; !isLast; number++) {
      const block = decodeZstdBlockHead(await this.exactly(ZSTD_BLOCK_HEAD_BYTES));
      const { kind, size, storedBytes } = block;
      isLast = block.isLast;
      if (kind === "reserved") throw this.badBlock(number, "it is of a reserved kind");
      if (size > head.maxBlockBytes) {
        throw this.badBlock(number, `it has ${size} bytes, the limit is ${head.maxBlockBytes}`);
      }
      await this.fill(this.blocks.input(storedBytes));
      const piece = kind === "raw" ? this.blocks.raw(size) : this.decode(kind, size, number);
      this.contentBytes += piece.length;
      if (this.contentBytes > (head.contentBytes ?? Infinity)) throw this.badSize(head);
      checksum?.update(piece);
      if (piece.length > 0) yield piece;
    }
    if (this.contentBytes < (head.contentBytes ?? 0)) throw this.badSize(head);
    if (checksum) await this.check(checksum);
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
    const head = decodeZstdFrameHead(descriptor, bytes, this.what);
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

  private async fill(into: Uint8Array): Promise<void> {
    into.set(await this.exactly(into.length));
  }

  private get what(): string {
    return `${this.name}: Zstandard frame ${this.frames}`;
  }

  private damage(reason: string): PagefoldError {
    return new PagefoldError("DAMAGED", `${this.what}: ${reason}`);
  }

  private badBlock(number: number, reason: string): PagefoldError {
    return this.damage(`block ${number}: ${reason}`);
  }

  private badSize(head: ZstdFrameHead): PagefoldError {
    const isMore = this.contentBytes > (head.contentBytes ?? 0);
    const there = `${this.contentBytes}${isMore ? " or more" : ""}`;
    return this.damage(`its content has ${there} bytes, its head says ${head.contentBytes}`);
  }

  private truncated(): PagefoldError {
    return this.damage(`truncated: the input ends after ${this.pieces.position} bytes`);
  }

  /** Also for an empty input, which has no frame. */
  private noFrame(magic: Uint8Array, position: number): PagefoldError {
    if (this.frames === 0) {
      return new PagefoldError("FORMAT", `${this.name}: is not compressed with Zstandard`);
    }
    const reason = `${magic.length} bytes at offset ${position} begin no Zstandard frame`;
    return new PagefoldError("DAMAGED", `${this.name}: ${reason}`);
  }
}
