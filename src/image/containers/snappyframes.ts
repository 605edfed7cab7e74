// Reads what lies inside of snappy's framing format (framing_format.txt of google/snappy), from a
// stream of any pieces and with bounded memory. Whether bytes are in that format at all is asked
// elsewhere.
//
//   chunk      kind u8 | bytes u24 | these
//   kind       ff: "sNaPpY", which begins a stream, and may stand in it again
//              00: masked CRC-32C of the content u32 | snappy block of at most 64 KiB
//              01: the same, and the content as it is
//              80 … fe: anything, to be skipped;  02 … 7f: reserved
import { PagefoldError } from "../../core/errors.ts";
import { PieceReader } from "../../core/piecereader.ts";
import * as abi from "../../kernels/abi.ts";
import { compileKernels } from "../../kernels/load.ts";
import {
  SNAPPY_MAX_BLOCK_BYTES,
  SNAPPY_MAX_CONTENT_BYTES,
  SnappyBlocks,
} from "../../kernels/snappy.ts";

export const SNAPPY_CHUNK_HEAD_BYTES = 4;
const CHECKSUM_BYTES = 4;

const Kind = { COMPRESSED: 0x00, PLAIN: 0x01, FIRST_SKIPPABLE: 0x80, BEGIN: 0xff } as const;
/** "sNaPpY" */
const IDENTIFIER = Uint8Array.of(0x73, 0x4e, 0x61, 0x50, 0x70, 0x59);

const REASONS: Readonly<Record<number, string>> = {
  [abi.SNAPPY_TRUNCATED]: "it ends inside of an element",
  [abi.SNAPPY_OVER_CAPACITY]: `it says that it holds more than ${SNAPPY_MAX_CONTENT_BYTES} bytes`,
  [abi.SNAPPY_BAD_DISTANCE]: "a copy reaches outside of the content",
  [abi.SNAPPY_BAD_SIZE]: "its content has another size than it says",
};

export interface SnappyOptions {
  /** What the bytes are called in messages. */
  readonly name: string;
  readonly signal?: AbortSignal | undefined;
}

/** Whether `bytes` begin a stream of the framing format. */
export function isSnappyStream(bytes: Uint8Array): boolean {
  const begin = [Kind.BEGIN, IDENTIFIER.length, 0, 0, ...IDENTIFIER];
  return begin.every((byte, at) => bytes[at] === byte);
}

/** The head of a chunk: what it is, and the bytes behind the head. */
export function decodeSnappyChunkHead(head: Uint8Array): { kind: number; byteLength: number } {
  return { kind: head[0], byteLength: head[1] | (head[2] << 8) | (head[3] << 16) };
}

/** Reads streams, one after another, in the same memory. */
export class SnappyReader {
  private readonly wasm: Uint8Array | URL | undefined;
  private blocks: SnappyBlocks | undefined;

  /** The kernels are compiled when they are first needed; default: those of the package. */
  constructor(wasm?: Uint8Array | URL) {
    this.wasm = wasm;
  }

  /**
   * The content of a stream up to its end, in pieces of up to 64 KiB. A piece is valid until the
   * next one is asked for. One stream has to be left before the next one is begun.
   */
  async *read(
    bytes: AsyncIterable<Uint8Array>,
    { name, signal }: SnappyOptions,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const pieces = new PieceReader(bytes, signal);
    try {
      const chunks = this.open(pieces, name);
      for (let piece = await chunks.next(); piece; piece = await chunks.next()) yield piece;
    } finally {
      await pieces.close();
    }
  }

  /** A stream that begins where `pieces` stand, for those who know where it ends. */
  open(pieces: PieceReader, name: string): SnappyChunks {
    this.blocks ??= new SnappyBlocks(compileKernels(this.wasm));
    return new SnappyChunks(pieces, name, this.blocks);
  }
}

export class SnappyChunks {
  private readonly pieces: PieceReader;
  private readonly name: string;
  private readonly blocks: SnappyBlocks;
  private isBegun = false;
  private offset = 0;

  constructor(pieces: PieceReader, name: string, blocks: SnappyBlocks) {
    this.pieces = pieces;
    this.name = name;
    this.blocks = blocks;
  }

  /** The next piece of content; undefined at the end of the pieces. Valid until the next one. */
  async next(): Promise<Uint8Array | undefined> {
    for (;;) {
      this.offset = this.pieces.position;
      const bytes = await this.pieces.take(SNAPPY_CHUNK_HEAD_BYTES);
      if (bytes.length === 0 && this.isBegun) return undefined;
      // What has not begun yet is not damaged: it is something else.
      if (!this.isBegun && bytes[0] !== Kind.BEGIN) throw this.noStream();
      if (bytes.length < SNAPPY_CHUNK_HEAD_BYTES) throw this.truncated();
      const { kind, byteLength } = decodeSnappyChunkHead(bytes);
      if (kind === Kind.BEGIN) await this.begin(byteLength);
      else if (kind === Kind.COMPRESSED || kind === Kind.PLAIN) {
        const piece = await this.content(kind, byteLength);
        if (piece.length > 0) return piece;
      } else if (kind >= Kind.FIRST_SKIPPABLE) {
        if ((await this.pieces.skip(byteLength)) < byteLength) throw this.truncated();
      } else throw this.damage(`it is of the reserved kind 0x${hex(kind, 2)}`);
    }
  }

  private async begin(byteLength: number): Promise<void> {
    if (byteLength !== IDENTIFIER.length) {
      throw this.isBegun
        ? this.damage(`it begins a stream in ${byteLength} bytes`)
        : this.noStream();
    }
    const identifier = await this.exactly(byteLength);
    if (!IDENTIFIER.every((byte, at) => identifier[at] === byte)) {
      throw this.isBegun ? this.damage("it does not say sNaPpY") : this.noStream();
    }
    this.isBegun = true;
  }

  private async content(kind: number, byteLength: number): Promise<Uint8Array> {
    const size = byteLength - CHECKSUM_BYTES;
    const limit = kind === Kind.PLAIN ? SNAPPY_MAX_CONTENT_BYTES : SNAPPY_MAX_BLOCK_BYTES;
    if (size < 0 || size > limit) {
      const most = CHECKSUM_BYTES + limit;
      throw this.damage(`it has ${byteLength} bytes, not ${CHECKSUM_BYTES} to ${most}`);
    }
    const stored = await this.exactly(CHECKSUM_BYTES);
    const wanted = new DataView(stored.buffer, stored.byteOffset, CHECKSUM_BYTES).getUint32(
      0,
      true,
    );
    const input = this.blocks.input(size);
    input.set(await this.exactly(size));
    const piece = kind === Kind.PLAIN ? input : this.blocks.compressed(size);
    if (typeof piece === "number") throw this.damage(REASONS[-piece]);
    const found = masked(this.blocks.checksum(piece));
    if (found !== wanted) {
      const says = `the chunk says ${hex(wanted, 8)}`;
      throw this.damage(`its content has the checksum ${hex(found, 8)}, ${says}`);
    }
    return piece;
  }

  private async exactly(byteLength: number): Promise<Uint8Array> {
    const bytes = await this.pieces.take(byteLength);
    if (bytes.length < byteLength) throw this.truncated();
    return bytes;
  }

  private damage(reason: string): PagefoldError {
    return new PagefoldError(
      "DAMAGED",
      `${this.name}: snappy chunk at byte ${this.offset}: ${reason}`,
    );
  }

  private truncated(): PagefoldError {
    return this.damage(`truncated: the input ends after ${this.pieces.position} bytes`);
  }

  private noStream(): PagefoldError {
    const where = this.offset === 0 ? "" : ` at byte ${this.offset}`;
    return new PagefoldError("FORMAT", `${this.name}: no snappy stream begins${where}`);
  }
}

/** So that a checksum of what holds checksums is none that it holds. */
function masked(checksum: number): number {
  return (((checksum >>> 15) | (checksum << 17)) + 0xa282_ead8) >>> 0;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}
