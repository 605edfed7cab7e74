// Compresses the parts of epochs, one at a time, as Zstandard frames (RFC 8878), in a small linear
// memory of its own. What does not become smaller stays as it is.
import { PagefoldError } from "../core/errors.ts";
import type { Kernels } from "../kernels/abi.ts";
import { ZSTD_COMPRESS_SCRATCH_BYTES, ZSTD_DECODE_BYTES } from "../kernels/layout.ts";
import { compileKernels, createMemory, instantiateKernels } from "../kernels/load.ts";

export const MAX_PART_BYTES = 1 << 20;

/** The first 64 KiB belong to the kernel module. */
const CONTENT_PTR = 65536;
/** Decoders read a little beyond their input. */
const SPARE_BYTES = 4096;
const BODY_PTR = CONTENT_PTR + MAX_PART_BYTES + SPARE_BYTES;
const SCRATCH_PTR = BODY_PTR + MAX_PART_BYTES + SPARE_BYTES;
const LEVEL_BALANCED = 1;

export class PartCodec {
  private readonly kernels: Kernels;
  private readonly bytes: Uint8Array;

  constructor(wasm?: Uint8Array | URL) {
    const scratchBytes = Math.max(ZSTD_COMPRESS_SCRATCH_BYTES, ZSTD_DECODE_BYTES);
    const memory = createMemory(SCRATCH_PTR + scratchBytes);
    this.kernels = instantiateKernels(compileKernels(wasm), memory);
    this.bytes = new Uint8Array(memory.buffer);
  }

  /** The content compressed, bytes of their own; the content itself if that is not smaller. */
  compress(content: Uint8Array): Uint8Array {
    const { length } = content;
    this.bytes.set(content, CONTENT_PTR);
    const bodyBytes = this.kernels.zstdCompress(
      CONTENT_PTR,
      length,
      BODY_PTR,
      length,
      LEVEL_BALANCED,
      SCRATCH_PTR,
    );
    if (bodyBytes <= 0 || bodyBytes >= length) return content;
    return this.bytes.slice(BODY_PTR, BODY_PTR + bodyBytes);
  }

  /** The reverse: bytes of their own, or `body` itself. DAMAGED, naming `what`. */
  decompress(body: Uint8Array, contentBytes: number, what: string): Uint8Array {
    if (body.length === contentBytes) return body;
    const fail = (reason: string): never => {
      throw new PagefoldError("DAMAGED", `${what}: ${reason}`);
    };
    if (body.length > contentBytes) fail(`${body.length} bytes for ${contentBytes} of content`);
    this.bytes.set(body, BODY_PTR);
    const found = this.kernels.zstdDecompress(
      BODY_PTR,
      body.length,
      CONTENT_PTR,
      contentBytes,
      SCRATCH_PTR,
    );
    if (found !== contentBytes) fail(`it decodes to ${found} bytes, not ${contentBytes}`);
    return this.bytes.slice(CONTENT_PTR, CONTENT_PTR + contentBytes);
  }
}
