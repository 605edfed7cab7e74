// The types of the public interface: what an engine takes and what it reports. Bytes are bytes,
// frames are numbered from 0, times are milliseconds. Implementations live in the layers below.
import type {
  BaseInput,
  LostRange,
  OperationOptions,
  VerifyOptions,
  VerifyReport,
} from "./archiveapi.ts";
import type { PageSink, PageSource } from "./image/image.ts";
import type { FrameCounts } from "./wire/imagehead.ts";

export type * from "./archiveapi.ts";

/** Names of the compression levels. `store` folds pages but compresses nothing. */
export type Level = "store" | "fast" | "balanced" | "small";

/** How an engine is opened. */
export interface EngineOptions {
  /**
   * Worker threads, as many as `memoryBytes` has room for (one for each 20 MiB or so of three
   * eighths of it); 0 runs everything in the calling thread. Default: one per processor.
   */
  threads?: number;
  /** Upper bound for tables, slabs and copies together, in bytes. Default: 512 MiB. */
  memoryBytes?: number;
  /** Where the worker script is, for bundlers. Default: beside this module. */
  workerUrl?: URL;
  /** The kernels: bytes or a file URL, for bundlers. Default: shipped with the package. */
  wasm?: Uint8Array | URL;
}

/**
 * An image file, or a stream of the bytes of a raw image, or pages behind a `PageSource`. Files and
 * streams may be compressed by zstd; what is in them is packed then (see `decompress`).
 */
export type PackInput = {
  /** What the image is called in the archive: relative, with `/` between parts. */
  name: string;
  /** Kept with the image. One that was compressed has the note `decompressed=zstd` besides. */
  notes?: Record<string, string> | undefined;
} & (
  | { /** A regular file. */ path: string }
  | {
      /** All of them, in pieces of any size; a piece is not kept. */
      bytes: AsyncIterable<Uint8Array>;
      /** Since 1970; default: now. */
      mtimeMs?: number;
    }
  | {
      /** Is asked for each page once, in order. */
      source: PageSource;
      /** Since 1970; default: now. */
      mtimeMs?: number;
    }
);

/** Where an archive goes: a file (committed at the end) or a stream (generation 0). */
export type PackOutput =
  | { path: string /** Replace an existing file. */; force?: boolean }
  | { write(bytes: Uint8Array<ArrayBuffer>): Promise<void> };

/** How to pack, or to append. */
export interface PackOptions extends OperationOptions {
  /** Default: "balanced". */
  level?: Level | undefined;
  /** Store only what is not in this image either; reading then needs it again. */
  base?: BaseInput | undefined;
  /** Digests to record for each image. */
  digests?: "sha256"[] | undefined;
  /** SHA-256 by image name that the images must have (lower-case hex); else MISMATCH. */
  expectedSha256?: ReadonlyMap<string, string> | undefined;
  /**
   * Default: true. Files and streams that begin like a Zstandard frame are taken for what is in
   * them; false takes them as they are. Memory whose owner is not trusted may begin in any way.
   */
  decompress?: boolean | undefined;
}

/** What was found in one image. `counts` are frames and add up to `frameCount`. */
export interface ImageReport {
  name: string;
  byteLength: number;
  frameCount: number;
  counts: FrameCounts;
  /** Bytes that this image added to the archive: clusters, without heads and index. */
  storedBytes: number;
  /** Lower-case hex, where asked for; of what was in it, if it was compressed. */
  sha256?: string;
  /** What the input was compressed with. */
  decompressed?: "zstd";
}

/** What packing, appending or repacking did. */
export interface PackReport {
  /** Those that were added, in order. */
  images: ImageReport[];
  /** Bytes read, and bytes of the archive (of what was added, for append). */
  inputBytes: number;
  outputBytes: number;
  elapsedMs: number;
  /** Pages that were not looked up because the table was full (`memoryBytes` is too small). */
  unlistedPages: number;
}

/** An archive: a file, or the bytes of one as they come through a pipe. */
export type ArchiveInput = { path: string } | { bytes: AsyncIterable<Uint8Array> };

/** What to unpack, and what to do with what is in the way or damaged. */
export interface UnpackOptions extends OperationOptions {
  /** Images to unpack; default all. */
  names?: readonly string[] | undefined;
  /** The image that the unpacked ones were made against. */
  base?: BaseInput | undefined;
  /** Replace existing files. */
  force?: boolean | undefined;
  /** Write what is intact, zeros for the rest, and a `.lost` file beside each damaged image. */
  keepGoing?: boolean | undefined;
}

/** What unpacking wrote; `lost` is empty unless `keepGoing`. Holes do not count as written. */
export interface UnpackReport {
  images: { name: string; path: string; byteLength: number }[];
  lost: LostRange[];
  writtenBytes: number;
  elapsedMs: number;
}

/** How to inspect. */
export interface InspectOptions extends OperationOptions {
  /** As for packing. Default: true. */
  decompress?: boolean | undefined;
}

/** What `inspect` finds in images without packing them. Nothing is compared byte by byte. */
export interface InspectReport {
  /** In the order of the inputs. `frameCount` is the sum of all kinds but `similar`. */
  images: {
    name: string;
    /** "raw" or "elf-core". */
    format: string;
    /** Of the file, or of what was in it, if it was compressed. */
    byteLength: number;
    /** Pages of its segments, a last partial one of each included. */
    frameCount: number;
    /** Frames of nothing but zeros. */
    zero: number;
    /** Frames of one word of 8 bytes, 512 times. */
    uniform: number;
    /** Frames that are like an earlier one of the same image … */
    duplicateInside: number;
    /** … or of an earlier image. */
    duplicateAcross: number;
    /** Distinct pages that share a feature of their sketch with an earlier one. */
    similar: number;
    /** Frames that are none of these: what has to be stored. */
    distinct: number;
    /** What the file was compressed with. */
    decompressed?: "zstd";
  }[];
  elapsedMs: number;
}

/** Rounds of pages into a stream of bytes; all its images share one scope. */
export interface Encoder extends AsyncDisposable {
  /**
   * One round of an image: all frames, or those whose bit is set in `dirty` (bit i of byte i >> 3
   * is frame i). The first call with a name begins the image and has all frames. Rounds of one
   * encoder run one after another; one that is aborted, fails or is not read to its end ends the
   * encoder. Nothing is made far ahead of what is taken.
   */
  stream(
    name: string,
    source: PageSource,
    options?: { dirty?: Uint8Array; signal?: AbortSignal },
  ): AsyncIterable<Uint8Array<ArrayBuffer>>;
  /** The index and the footer, after which the concatenation of all bytes is an archive. */
  finish(): AsyncIterable<Uint8Array<ArrayBuffer>>;
  /** Gives its memory back to the engine; a round that runs rejects. */
  close(): Promise<void>;
}

/** How an encoder encodes. Default: "balanced". */
export interface EncoderOptions {
  level?: Level;
}

/** Takes the bytes of an encoder and fills sinks. */
export interface Decoder extends AsyncDisposable {
  /**
   * Reads `bytes` to their end. `sinkOf` is asked once for each image. Resolves when every round
   * that was begun is complete and its image checksum agrees; rejects with MISMATCH if not, and
   * with DAMAGED for a stream that is cut elsewhere. It need not have been finished: then only the
   * sender knows whether there is more to come. Clusters that later rounds may name are kept,
   * compressed, in memory and in a file without a name in the system's temporary directory.
   */
  decode(
    bytes: AsyncIterable<Uint8Array>,
    sinkOf: (name: string, frameCount: number | undefined) => PageSink | Promise<PageSink>,
    options?: { signal?: AbortSignal },
  ): Promise<void>;
  /** Ends what it decodes; that rejects. */
  close(): Promise<void>;
}

/** The engine: a pool of workers over one shared memory. */
export interface Engine extends AsyncDisposable {
  /**
   * Folds images into a new archive, which appears complete or not at all. INPUT, CHANGED, OUTPUT
   * (it exists: `force`), MISMATCH (`expectedSha256`), BASE, LIMIT.
   */
  pack(
    inputs: readonly PackInput[],
    output: PackOutput,
    options?: PackOptions,
  ): Promise<PackReport>;
  /**
   * Adds images to an archive, which stays as it was on any failure. As `pack`, and LOCKED, FORMAT,
   * DAMAGED.
   */
  append(
    archivePath: string,
    inputs: readonly PackInput[],
    options?: PackOptions,
  ): Promise<PackReport>;
  /**
   * Writes images to files below `directory`, each complete or not at all. OUTPUT, FORMAT, DAMAGED,
   * MISMATCH, BASE, RANGE (a name that is not there, or must not become a path).
   */
  unpack(input: ArchiveInput, directory: string, options?: UnpackOptions): Promise<UnpackReport>;
  /** Reads everything and compares every checksum. FORMAT when it is no archive, BASE. */
  verify(input: ArchiveInput, options?: VerifyOptions): Promise<VerifyReport>;
  /** Surveys images as packing them together would see them; writes nothing. INPUT, CHANGED. */
  inspect(
    inputs: readonly { name: string; path: string }[],
    options?: InspectOptions,
  ): Promise<InspectReport>;
  /** Writes the live content of an archive anew, without the images named in `drop`. */
  repack(
    archivePath: string,
    output: PackOutput,
    options?: OperationOptions & { drop?: readonly string[]; level?: Level | undefined },
  ): Promise<PackReport>;
  /** Takes memory of the engine until it is closed. LIMIT when there is not enough. */
  encoder(options?: EncoderOptions): Encoder;
  decoder(): Decoder;
  /** Ends the workers; operations that run should have ended before. */
  close(): Promise<void>;
}
