// Reads what lies inside of LZ4 frames (lz4head.ts), from a stream of any pieces and with bounded
// memory; also of the legacy ones that `lz4 -l` and the Linux kernel write. No dictionaries.
// Whether bytes are compressed at all is asked elsewhere (containers.ts).
import { PagefoldError } from "../../core/errors.ts";
import { PieceReader } from "../../core/piecereader.ts";
import { compileKernels } from "../../kernels/load.ts";
import { loadChecksum32, type RunningChecksum32 } from "../../wire/checksum.ts";
import type { ReadOptions } from "../formats.ts";
import { Lz4Blocks } from "./lz4blocks.ts";
import {
  decodeLz4FrameHead,
  LZ4_FLAG_BYTES,
  LZ4_STORED,
  type Lz4FrameHead,
  lz4FrameHeadBytes,
  lz4Magic,
} from "./lz4head.ts";

const LEGACY_BLOCK_BYTES = 8 << 20;
/** What incompressible content may grow to in a block that has to be compressed. */
const LEGACY_STORED_BYTES = LEGACY_BLOCK_BYTES + Math.floor(LEGACY_BLOCK_BYTES / 255) + 16;
/** Why the kernel refuses a block, by its negative results. */
const REASONS = [
  "it ends inside of a sequence",
  "it is larger than the frame allows",
  "a match reaches outside of the window",
];

/** Reads compressed streams, one after another, in the same memory. */
export class Lz4Reader {
  private readonly wasm: Uint8Array | URL | undefined;
  private blocks: Lz4Blocks | undefined;

  /** The kernels are compiled when they are first needed; default: those of the package. */
  constructor(wasm?: Uint8Array | URL) {
    this.wasm = wasm;
  }

  /**
   * The content of all LZ4 frames in `bytes`, one after another, a piece for each block. A piece is
   * valid until the next one is asked for. One stream has to be left before the next one is begun.
   */
  async *read(
    bytes: AsyncIterable<Uint8Array>,
    { name, signal }: ReadOptions,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    this.blocks ??= new Lz4Blocks(compileKernels(this.wasm));
    const pieces = new PieceReader(bytes, signal);
    const begin = await loadChecksum32();
    try {
      yield* new FrameReader(pieces, name, this.blocks, begin).all();
    } finally {
      await pieces.close();
    }
  }
}

class FrameReader {
  private readonly pieces: PieceReader;
  private readonly name: string;
  private readonly blocks: Lz4Blocks;
  private readonly begin: () => RunningChecksum32;
  private frames = 0;
  private frameOffset = 0;
  private block = 0;
  private blockOffset = 0;

  constructor(
    pieces: PieceReader,
    name: string,
    blocks: Lz4Blocks,
    begin: () => RunningChecksum32,
  ) {
    this.pieces = pieces;
    this.name = name;
    this.blocks = blocks;
    this.begin = begin;
  }

  async *all(): AsyncGenerator<Uint8Array, void, undefined> {
    let magic = await this.nextMagic();
    while (magic !== undefined) {
      this.frameOffset = this.pieces.position - 4;
      this.frames++;
      this.block = 0;
      const kind = lz4Magic(magic);
      if (kind === undefined) throw this.noFrame();
      if (kind === "legacy") {
        magic = yield* this.legacyFrame();
        continue;
      }
      if (kind === "frame") yield* this.frame();
      else await this.skip(await this.u32());
      magic = await this.nextMagic();
    }
  }

  private async *frame(): AsyncGenerator<Uint8Array, void, undefined> {
    const head = await this.readHead();
    const { maxBlockBytes } = head;
    this.blocks.beginFrame(maxBlockBytes, maxBlockBytes, head.isLinked);
    const check = head.hasContentCheck ? this.begin() : undefined;
    let doneBytes = 0;
    for (let word = await this.blockWord(); word !== 0; word = await this.blockWord()) {
      const storedBytes = word % LZ4_STORED;
      if (storedBytes > maxBlockBytes) {
        throw this.badBlock(`it has ${storedBytes} bytes, the limit is ${maxBlockBytes}`);
      }
      const input = await this.fill(storedBytes);
      if (head.hasBlockChecks) await this.checkBlock(input);
      const piece = word >= LZ4_STORED ? this.blocks.raw(storedBytes) : this.decode(storedBytes);
      doneBytes += piece.length;
      check?.update(piece);
      if (piece.length > 0) yield piece;
    }
    const { contentBytes = doneBytes } = head;
    if (doneBytes !== contentBytes) {
      throw this.damage(`its content has ${doneBytes} bytes, its head says ${contentBytes}`);
    }
    if (check) this.compare("its content has", check.digest(), await this.u32());
  }

  /** Gives the magic of the frame behind this one; undefined at the end of the input. */
  private async *legacyFrame(): AsyncGenerator<Uint8Array, number | undefined, undefined> {
    this.blocks.beginFrame(LEGACY_STORED_BYTES, LEGACY_BLOCK_BYTES, false);
    for (;;) {
      const word = await this.nextMagic();
      this.blockOffset = this.pieces.position - 4;
      this.block++;
      if (word === undefined || lz4Magic(word)) return word;
      if (word > LEGACY_STORED_BYTES) {
        throw this.badBlock(`it has ${word} bytes, the limit is ${LEGACY_STORED_BYTES}`);
      }
      await this.fill(word);
      const piece = this.decode(word);
      if (piece.length > 0) yield piece;
    }
  }

  private async readHead(): Promise<Lz4FrameHead> {
    const bytes = (await this.exactly(LZ4_FLAG_BYTES)).slice();
    const rest = (await this.exactly(lz4FrameHeadBytes(bytes[0]))).slice();
    const head = decodeLz4FrameHead(bytes[0], bytes[1], rest);
    if (typeof head === "string") throw this.unread(head);
    const sum = this.begin();
    sum.update(bytes);
    sum.update(rest);
    const [check] = await this.exactly(1);
    const found = (sum.digest() >>> 8) & 0xff;
    if (found !== check) throw this.damage(`its head has the check ${found}, it says ${check}`);
    if (head.dictionary === undefined) return head;
    throw this.unread(`it needs the dictionary ${head.dictionary}; dictionaries are not supported`);
  }

  private decode(storedBytes: number): Uint8Array {
    const piece = this.blocks.compressed(storedBytes);
    if (typeof piece === "number") throw this.badBlock(REASONS[-piece - 1]);
    return piece;
  }

  private async checkBlock(input: Uint8Array): Promise<void> {
    const sum = this.begin();
    sum.update(input);
    this.compare(
      `block ${this.block} at byte ${this.blockOffset} has`,
      sum.digest(),
      await this.u32(),
    );
  }

  private compare(what: string, found: number, wanted: number): void {
    if (found >>> 0 === wanted) return;
    const [is, says] = [found >>> 0, wanted].map((sum) => sum.toString(16).padStart(8, "0"));
    throw this.damage(`${what} the checksum ${is}, the frame says ${says}`);
  }

  private async blockWord(): Promise<number> {
    this.blockOffset = this.pieces.position;
    this.block++;
    return this.u32();
  }

  /** The next four bytes; undefined at the end of the input. */
  private async nextMagic(): Promise<number | undefined> {
    const bytes = await this.pieces.take(4);
    if (bytes.length === 0) return undefined;
    if (bytes.length < 4) throw this.frames === 0 ? this.noFrame() : this.truncated();
    return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  }

  private async u32(): Promise<number> {
    const bytes = await this.exactly(4);
    return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  }

  private async fill(byteLength: number): Promise<Uint8Array> {
    const input = this.blocks.input(byteLength);
    if ((await this.pieces.takeInto(input)) < byteLength) throw this.truncated();
    return input;
  }

  private async exactly(byteLength: number): Promise<Uint8Array> {
    const bytes = await this.pieces.take(byteLength);
    if (bytes.length < byteLength) throw this.truncated();
    return bytes;
  }

  private async skip(byteLength: number): Promise<void> {
    if ((await this.pieces.skip(byteLength)) < byteLength) throw this.truncated();
  }

  private get what(): string {
    return `${this.name}: LZ4 frame ${this.frames} at byte ${this.frameOffset}`;
  }

  private unread(reason: string): PagefoldError {
    return new PagefoldError("FORMAT", `${this.what}: ${reason}`);
  }

  private damage(reason: string): PagefoldError {
    return new PagefoldError("DAMAGED", `${this.what}: ${reason}`);
  }

  private badBlock(reason: string): PagefoldError {
    return this.damage(`block ${this.block} at byte ${this.blockOffset}: ${reason}`);
  }

  private truncated(): PagefoldError {
    return this.damage(`truncated: the input ends after ${this.pieces.position} bytes`);
  }

  private noFrame(): PagefoldError {
    const at = this.frameOffset;
    return new PagefoldError("DAMAGED", `${this.name}: no LZ4 frame begins at byte ${at}`);
  }
}
