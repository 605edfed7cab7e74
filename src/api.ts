// The types of the public interface: what an engine takes and what it reports. Bytes are bytes,
// frames are numbered from 0, times are milliseconds. Implementations live in the layers below.
import type {
  ArchiveInput,
  BaseInput,
  InspectOptions,
  InspectReport,
  OperationOptions,
  SealedOptions,
  UnpackOptions,
  UnpackReport,
  VerifyOptions,
  VerifyReport,
} from "./archiveapi.ts";
import type { SealKey } from "./core/seal.ts";
import type { Explanation } from "./explainapi.ts";
import type { PageSource } from "./image/image.ts";
import type { ImagePath } from "./image/inputs.ts";
import type { Compression, DumpCompression } from "./image/opened.ts";
import type { Decoder, Encoder, EncoderOptions, Level } from "./streamapi.ts";
import type { FrameCounts } from "./wire/imagehead.ts";

export type * from "./archiveapi.ts";
export type * from "./streamapi.ts";

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
  /** Of decoded content that each thread keeps, for `serveArchive`. Default: 16 MiB. */
  cacheBytes?: number;
}

/**
 * An image file, or a stream of the bytes of a raw image, or pages behind a `PageSource`. Files and
 * streams may be compressed; what is in them is packed then (see `decompress`).
 */
export type PackInput = {
  /** What the image is called in the archive: relative, with `/` between parts. */
  name: string;
  /** Kept with the image. One that was compressed has a note `decompressed` besides. */
  notes?: Record<string, string> | undefined;
} & (
  | {
      /** A regular file. */
      path: string;
      /** False: it is taken as it is, whatever the options say. */
      decompress?: boolean | undefined;
    }
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
  | {
      /** Appears under its name when it is complete, mode 0600. */
      path: string;
      /** Replace an existing file. Default: OUTPUT. */
      force?: boolean;
    }
  | {
      /** Is given the bytes in order, one call after the other; what it is given is its own. */
      write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
    };

/** How to pack, or to append. */
export interface PackOptions extends OperationOptions {
  /**
   * Seals a new archive: without these 32 bytes nobody reads it, and whoever changes it is found
   * out. For an archive that is appended to, its key. The bytes of a sealed archive are not the
   * same ones twice.
   */
  key?: SealKey | undefined;
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
   * them; false takes them as they are. Memory whose owner is not trusted may begin in any way. A
   * base is always taken for what is in it, here and where it is needed back.
   */
  decompress?: boolean | undefined;
}

/** How to explain: as packing would. */
export type ExplainOptions = OperationOptions & Pick<PackOptions, "level" | "decompress">;

/** What was found in one image. */
export interface ImageReport {
  /** In the archive. */
  name: string;
  /** Of the file or the stream; of what was in it, if it was compressed. */
  byteLength: number;
  /** Pages of its segments, a last partial one of each included. */
  frameCount: number;
  /** Frames by what was found; they add up to `frameCount`. */
  counts: FrameCounts;
  /** Bytes that this image added to the archive: clusters, without heads and index. */
  storedBytes: number;
  /** Lower-case hex, where asked for; of the same bytes as `byteLength`. */
  sha256?: string;
  /** What the input was compressed with. */
  decompressed?: Compression | DumpCompression;
  /** Where it is a file that was compared with a base, frame by frame. */
  change?: {
    /** Frames that both have. */
    comparedFrames: number;
    /** Those of them that differ. */
    changedFrames: number;
    /** Blocks of 64 bytes that differ in those. */
    changedBlocks: number;
  };
}

/** What packing, appending or repacking did. */
export interface PackReport {
  /** Those that were added, in order. */
  images: ImageReport[];
  /** Bytes of these images. */
  inputBytes: number;
  /** Bytes of the archive; for append, of what was added. */
  outputBytes: number;
  /** Without opening the engine. */
  elapsedMs: number;
  /** Pages that were not looked up because the table was full (`memoryBytes` is too small). */
  unlistedPages: number;
}

/** How to repack. */
export interface RepackOptions extends OperationOptions, SealedOptions {
  /** Images to leave out. */
  drop?: readonly string[];
  /** Default: "balanced". */
  level?: Level | undefined;
  /** What the new archive is sealed with; false: with nothing. Default: `key`. */
  newKey?: SealKey | false | undefined;
}

/** The engine: a pool of workers over one shared memory. */
export interface Engine extends AsyncDisposable {
  /**
   * Folds images into a new archive, which appears complete or not at all. INPUT, CHANGED, OUTPUT
   * (it exists: `force`), MISMATCH (`expectedSha256`), BASE, LIMIT; FORMAT and DAMAGED for what
   * cannot be decompressed.
   */
  pack(
    inputs: readonly PackInput[],
    output: PackOutput,
    options?: PackOptions,
  ): Promise<PackReport>;
  /**
   * Adds images to an archive, which stays as it was on any failure. As `pack`, and LOCKED, FORMAT,
   * DAMAGED, KEY.
   */
  append(
    archivePath: string,
    inputs: readonly PackInput[],
    options?: PackOptions,
  ): Promise<PackReport>;
  /**
   * Writes images to files below `directory`, each complete or not at all. OUTPUT, FORMAT, DAMAGED,
   * MISMATCH, KEY, BASE, RANGE (a name that is not there, or must not become a path).
   */
  unpack(input: ArchiveInput, directory: string, options?: UnpackOptions): Promise<UnpackReport>;
  /** Reads everything and compares every checksum. FORMAT when it is no archive, KEY, BASE. */
  verify(input: ArchiveInput, options?: VerifyOptions): Promise<VerifyReport>;
  /**
   * Surveys images as packing them together would see them; writes nothing. `name` is for reports.
   * INPUT, CHANGED; FORMAT, DAMAGED and LIMIT for what cannot be decompressed.
   */
  inspect(inputs: readonly ImagePath[], options?: InspectOptions): Promise<InspectReport>;
  /**
   * Packs images as `pack` would, but writes nothing, and says where the bytes went: at most 128
   * images. `reportPage` makes a page of it. As `pack`, and LIMIT.
   */
  explain(inputs: readonly ImagePath[], options?: ExplainOptions): Promise<Explanation>;
  /**
   * Writes the live content of an archive anew. As `pack`, and FORMAT, DAMAGED, KEY, RANGE, BASE
   * (an image was made against one).
   */
  repack(archivePath: string, output: PackOutput, options?: RepackOptions): Promise<PackReport>;
  /** Takes memory of the engine until it is closed. LIMIT when there is not enough. */
  encoder(options?: EncoderOptions): Encoder;
  /** Works in the calling thread and takes no memory of the engine. */
  decoder(): Decoder;
  /** Ends the workers; operations that run should have ended before. */
  close(): Promise<void>;
}
