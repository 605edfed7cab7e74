// Pages of a dump, decoded one by one, and compressed once more to see whether that gives the same
// bytes. What decodes to anything else than one page is not decoded.
import { inflateSync } from "node:zlib";
import { type Kernels, ZSTD_DECODE_BYTES } from "../kernels/abi.ts";
import { compileKernels, createMemory, instantiateKernels } from "../kernels/load.ts";
import { SnappyBlocks } from "../kernels/snappy.ts";
import { KdumpFlag } from "./kdumphead.ts";
import type { Recompress } from "./wovenfile.ts";

const CONTEXT = 65_536;
/** More than the kernel reads before and behind its input. */
const MARGIN_BYTES = 64;
const INPUT = CONTEXT + ZSTD_DECODE_BYTES + MARGIN_BYTES;
const MAX_INPUT_BYTES = 1 << 17;
const OUTPUT = INPUT + MAX_INPUT_BYTES + MARGIN_BYTES;
const MAX_OUTPUT_BYTES = 1 << 16;

export interface KdumpCodecOptions {
  readonly recompress: Recompress;
  /** The kernels; default: those of the package. */
  readonly wasm?: Uint8Array | URL | undefined;
}

export class KdumpCodecs {
  private readonly options: KdumpCodecOptions;
  private snappy: SnappyBlocks | undefined;
  private zstd: { kernels: Kernels; bytes: Uint8Array } | undefined;

  constructor(options: KdumpCodecOptions) {
    this.options = options;
  }

  /** Fills `page` from its data; false when the data is not that of a page. */
  decode(flags: number, data: Uint8Array, page: Uint8Array): boolean {
    switch (flags) {
      case KdumpFlag.PLAIN:
        if (data.length !== page.length) return false;
        page.set(data);
        return true;
      case KdumpFlag.ZLIB:
        return inflate(data, page);
      case KdumpFlag.SNAPPY:
        this.snappy ??= new SnappyBlocks(compileKernels(this.options.wasm));
        return this.snappy.decode(data, page) === page.length;
      case KdumpFlag.ZSTD:
        return this.decodeZstd(data, page);
      default:
        return false;
    }
  }

  /** Pages compressed once more, where it can be that this gives what the dump has. */
  compress(flags: number, pages: Uint8Array, pageBytes: number) {
    if (flags === KdumpFlag.ZLIB) return this.options.recompress("zlib", pages, pageBytes);
    if (flags === KdumpFlag.SNAPPY) return this.options.recompress("snappy", pages, pageBytes);
    return undefined;
  }

  private decodeZstd(data: Uint8Array, page: Uint8Array): boolean {
    if (data.length > MAX_INPUT_BYTES) return false;
    this.zstd ??= this.openZstd();
    const { kernels, bytes } = this.zstd;
    bytes.set(data, INPUT);
    const { length } = page;
    if (kernels.zstdDecompress(INPUT, data.length, OUTPUT, length, CONTEXT) !== length) {
      return false;
    }
    page.set(bytes.subarray(OUTPUT, OUTPUT + length));
    return true;
  }

  private openZstd() {
    const memory = createMemory(OUTPUT + MAX_OUTPUT_BYTES + MARGIN_BYTES);
    const kernels = instantiateKernels(compileKernels(this.options.wasm), memory);
    return { kernels, bytes: new Uint8Array(memory.buffer) };
  }
}

function inflate(data: Uint8Array, page: Uint8Array): boolean {
  try {
    // Room for one byte more, so that the page is complete in one go and a longer one shows.
    const chunkSize = page.length + 64;
    const bytes = inflateSync(data, { chunkSize, maxOutputLength: chunkSize });
    if (bytes.length !== page.length) return false;
    page.set(bytes);
    return true;
  } catch {
    return false;
  }
}
