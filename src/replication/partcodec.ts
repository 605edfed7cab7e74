// Compresses pieces of epochs, one at a time, as Zstandard frames (RFC 8878), in a small linear
// memory of its own. A frame may follow a prefix that both ends have: its matches reach into it.
// What does not become smaller stays as it is.
import { PagefoldError } from "../core/errors.ts";
import type { Kernels } from "../kernels/abi.ts";
import { ZSTD_AFTER_SCRATCH_BYTES, ZSTD_DECODE_BYTES } from "../kernels/layout.ts";
import { compileKernels, createMemory, instantiateKernels } from "../kernels/load.ts";

export const MAX_PART_BYTES = 1 << 20;
const MAX_PREFIX_BYTES = 2 << 20;
/** A shorter prefix is none: there is nothing in it to find. */
const MIN_PREFIX_BYTES = 8;

/** The first 64 KiB belong to the kernel module. */
const PREFIX_PTR = 65536;
/** Decoders read a little beyond their input. */
const SPARE_BYTES = 4096;
const BODY_PTR = PREFIX_PTR + MAX_PREFIX_BYTES + MAX_PART_BYTES + SPARE_BYTES;
const SCRATCH_PTR = BODY_PTR + MAX_PART_BYTES + SPARE_BYTES;
const LEVEL_BALANCED = 1;

/** What both ends have in front of the content. */
export interface Prefix {
  /** MAX_PREFIX_BYTES in all, at most. */
  readonly pieces: readonly Uint8Array[];
  /** How far before the content its older version lies; 0 if there is none. */
  readonly olderAt: number;
}

const NO_PREFIX: Prefix = { pieces: [], olderAt: 0 };

export class PartCodec {
  private readonly kernels: Kernels;
  private readonly bytes: Uint8Array;

  constructor(wasm?: Uint8Array | URL) {
    const scratchBytes = Math.max(ZSTD_AFTER_SCRATCH_BYTES, ZSTD_DECODE_BYTES);
    const memory = createMemory(SCRATCH_PTR + scratchBytes);
    this.kernels = instantiateKernels(compileKernels(wasm), memory);
    this.bytes = new Uint8Array(memory.buffer);
  }

  /** The content compressed, bytes of their own; the content itself if that is not smaller. */
  compress(content: Uint8Array, prefix = NO_PREFIX): Uint8Array {
    const { length } = content;
    const { kernels } = this;
    const prefixBytes = this.place(prefix);
    this.bytes.set(content, PREFIX_PTR + prefixBytes);
    const bodyBytes =
      prefixBytes < MIN_PREFIX_BYTES
        ? kernels.zstdCompress(
            PREFIX_PTR + prefixBytes,
            length,
            BODY_PTR,
            length,
            LEVEL_BALANCED,
            SCRATCH_PTR,
          )
        : kernels.zstdCompressAfter(
            PREFIX_PTR,
            prefixBytes,
            length,
            prefix.olderAt,
            BODY_PTR,
            length,
            SCRATCH_PTR,
          );
    if (bodyBytes <= 0 || bodyBytes >= length) return content;
    return this.bytes.slice(BODY_PTR, BODY_PTR + bodyBytes);
  }

  /** The reverse: bytes of their own, or `body` itself. DAMAGED, naming `what`. */
  decompress(body: Uint8Array, contentBytes: number, what: string, prefix = NO_PREFIX): Uint8Array {
    if (body.length === contentBytes) return body;
    const fail = (reason: string): never => {
      throw new PagefoldError("DAMAGED", `${what}: ${reason}`);
    };
    if (body.length > contentBytes) fail(`${body.length} bytes for ${contentBytes} of content`);
    const prefixBytes = this.place(prefix);
    this.bytes.set(body, BODY_PTR);
    const found = this.kernels.zstdDecompressAfter(
      BODY_PTR,
      body.length,
      PREFIX_PTR,
      prefixBytes,
      contentBytes,
      SCRATCH_PTR,
    );
    if (found !== contentBytes) fail(`it decodes to ${found} bytes, not ${contentBytes}`);
    const contentPtr = PREFIX_PTR + prefixBytes;
    return this.bytes.slice(contentPtr, contentPtr + contentBytes);
  }

  /** Bytes of the prefix, which is in place afterwards. */
  private place({ pieces }: Prefix): number {
    let at = PREFIX_PTR;
    for (const piece of pieces) {
      if (at + piece.length > PREFIX_PTR + MAX_PREFIX_BYTES) throw new Error("a prefix too long");
      this.bytes.set(piece, at);
      at += piece.length;
    }
    return at - PREFIX_PTR;
  }
}
