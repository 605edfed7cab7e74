// Pages of a dump, decoded one by one, and compressed once more to see whether that gives the same
// bytes. What decodes to anything else than one page is not decoded.
import { inflateSync } from "node:zlib";
import { type Kernels, ZSTD_DECODE_BYTES } from "../../kernels/abi.ts";
import {
  compileKernels,
  createMemory,
  instantiateKernels,
  type KernelModule,
} from "../../kernels/load.ts";
import { SNAPPY_RELEASES, SnappyBlocks } from "../../kernels/snappy.ts";
import type { Recompress } from "../wovenfile.ts";
import { KdumpFlag } from "./kdumphead.ts";

const CONTEXT = 65_536;
/** More than the kernel reads before and behind its input. */
const MARGIN_BYTES = 64;
const INPUT = CONTEXT + ZSTD_DECODE_BYTES + MARGIN_BYTES;
const MAX_INPUT_BYTES = 1 << 17;
const OUTPUT = INPUT + MAX_INPUT_BYTES + MARGIN_BYTES;
const MAX_OUTPUT_BYTES = 1 << 16;

export interface KdumpCodecOptions {
  readonly recompress: Recompress;
}

/** For all dumps, once one needs them. */
let compiled: KernelModule | undefined;

export class KdumpCodecs {
  private readonly options: KdumpCodecOptions;
  /** Of libsnappy, once it is known. */
  private release: number | undefined;
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
        this.snappy ??= new SnappyBlocks(openModule());
        return this.snappy.decode(data, page) === page.length;
      case KdumpFlag.ZSTD:
        return this.decodeZstd(data, page);
      default:
        return false;
    }
  }

  /** The ways of compressing that may give what the dump has, for `compress`. */
  ways(flags: number): readonly number[] {
    if (flags === KdumpFlag.ZLIB) return [0];
    if (flags !== KdumpFlag.SNAPPY) return [];
    return this.release === undefined ? Object.values(SNAPPY_RELEASES) : [this.release];
  }

  /** From now on, this is the only way for snappy. */
  learn(release: number): void {
    this.release = release;
  }

  /** Pages compressed once more. */
  compress(flags: number, pages: Uint8Array, pageBytes: number, way: number) {
    const codec = flags === KdumpFlag.ZLIB ? "zlib" : "snappy";
    return this.options.recompress(codec, pages, pageBytes, way);
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
    const kernels = instantiateKernels(openModule(), memory);
    return { kernels, bytes: new Uint8Array(memory.buffer) };
  }
}

function openModule(): KernelModule {
  compiled ??= compileKernels();
  return compiled;
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
