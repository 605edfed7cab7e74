// The public types of an archive that is open for reading, of operations that only read, and those
// that operations share; api.ts has those of the engine.
import type { SealKey } from "./core/seal.ts";
import type { MemoryFormat } from "./image/convert/convert.ts";
import type { PageSource } from "./image/image.ts";
import type { Compression, DumpCompression } from "./image/opened.ts";
import type { FrameCounts } from "./wire/imagehead.ts";

/** Progress of one operation; called at most every 100 ms and once at the end. */
export interface Progress {
  /** Name of the image being worked on. */
  image: string;
  /** Bytes of input done so far. */
  doneBytes: number;
  /** … and in all; undefined where nobody knows. */
  totalBytes: number | undefined;
  /** Bytes written so far (0 where nothing is written). */
  writtenBytes: number;
}

/** Options that every long operation takes. */
export interface OperationOptions {
  /** Ends the operation; it rejects with the signal's reason and leaves nothing half written. */
  signal?: AbortSignal | undefined;
  /** Told how far the operation is. */
  onProgress?: ((progress: Progress) => void) | undefined;
  /** Told of things that do not stop the operation ("vm.raw: changed while it was read"). */
  onWarning?: ((message: string) => void) | undefined;
}

/** Options that everything takes that reads an archive. */
export interface SealedOptions {
  /**
   * Key of a sealed archive: 32 bytes, or a secret key object (of which no copy is made). KEY when
   * it is missing, another one, or given for an archive that is not sealed.
   */
  key?: SealKey | undefined;
}

/** An image that is not in the archive: a file, or one image of another archive. */
export type BaseInput =
  | {
      /** In any format that goes into archives. */
      path: string;
    }
  | ({
      /** Path of the other archive. */
      archive: string;
      /** Of the image in it, which must not have been made against a base itself. */
      name: string;
    } & SealedOptions);

/** Frames that cannot be had, and why. */
export interface LostRange {
  /** Of the image. */
  name: string;
  /** Its first lost frame, from 0. */
  firstFrame: number;
  /** How many follow one another. */
  frameCount: number;
  /** One line. */
  reason: string;
}

/** An archive: a file, or the bytes of one as they come through a pipe. */
export type ArchiveInput =
  | { /** A regular file, whose index is used. */ path: string }
  | { /** All of them, in pieces of any size; read forwards. */ bytes: AsyncIterable<Uint8Array> };

/** What to unpack, and what to do with what is in the way or damaged. */
export interface UnpackOptions extends OperationOptions, SealedOptions {
  /** Images to unpack; default all. */
  names?: readonly string[] | undefined;
  /** The image that the unpacked ones were made against. */
  base?: BaseInput | undefined;
  /** Replace existing files. */
  force?: boolean | undefined;
  /** Write what is intact, zeros for the rest, and a `.lost` file beside each damaged image. */
  keepGoing?: boolean | undefined;
  /**
   * Write the memory in the images in this format, to files with ".raw", ".elf" or ".lime" behind
   * the names of the images; an image of that format comes out as it is. Not with `keepGoing`.
   */
  as?: MemoryFormat | undefined;
}

/** What unpacking wrote. */
export interface UnpackReport {
  /** Each with its name in the archive, its file, what that is, and its length with its holes. */
  images: { name: string; path: string; format: string; byteLength: number }[];
  /** Empty unless `keepGoing`. */
  lost: LostRange[];
  /** Without holes. With `as`, what was converted counts twice. */
  writtenBytes: number;
  /** Without opening the engine. */
  elapsedMs: number;
}

/** How to verify. Images made against a base need it. */
export interface VerifyOptions extends OperationOptions, SealedOptions {
  /** The image that they were made against. */
  base?: BaseInput | undefined;
}

/** What verifying found. Damage is a finding here, never an error. */
export interface VerifyReport {
  /** True when every byte and every image is what its checksum says. */
  intact: boolean;
  /** In the order of the archive; intact is one whose every page and checksum agree. */
  images: { name: string; byteLength: number; intact: boolean }[];
  /** Faults of the container, one line each ("superblock 1: wrong checksum"). */
  faults: string[];
  /** Frames that cannot be had. */
  lost: LostRange[];
  /** Of the archive. */
  checkedBytes: number;
  /** Without opening the archive or the engine. */
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
    /** As in the input. */
    name: string;
    /** "raw", "elf-core", "lime", "kdump", … (docs/inputs.md). */
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
    decompressed?: Compression | DumpCompression;
    /** Ranges of memory that it has, where its format says so beforehand. */
    rangeCount?: number;
    /** Of the kernel whose memory it is, where the head of a dump tells (`uname -r`). */
    kernelRelease?: string;
  }[];
  /** Without opening the engine. */
  elapsedMs: number;
}

/** What an archive says of an image in it. */
export interface ArchivedImageInfo {
  /** Relative, with `/` between parts. */
  name: string;
  /** "raw", "elf-core" or "lime". */
  format: string;
  /** Of the file. */
  byteLength: number;
  /** Pages of its segments, a last partial one of each included. */
  frameCount: number;
  /** Since 1970, of the file when it was packed. */
  mtimeMs: number;
  /** What its owner noted, and `decompressed` if it came compressed. */
  notes: Record<string, string>;
  /** Frames by what was found when it was packed. */
  counts: FrameCounts;
  /** Bytes of clusters that it added when it was packed. */
  storedBytes: number;
  /** 16 bytes, docs/format.md §3. */
  checksum: Uint8Array;
  /** Lower-case hex, of the file, where it was recorded. */
  sha256: string | undefined;
  /** The image this one was made against, and its checksum. */
  base: { name: string; byteLength: number; checksum: Uint8Array } | undefined;
}

/**
 * Reads parts of an image. Everything rejects with RANGE outside of it, DAMAGED where bytes are,
 * and BASE when a base is needed that was not given.
 */
export interface ArchivedImage extends ArchivedImageInfo {
  /**
   * Reads frames [frame, frame + count) as count × 4096 private bytes. Frames that lie in a base
   * image need `base`.
   */
  readPages(
    frame: number,
    count: number,
    options?: { signal?: AbortSignal; base?: PageSource },
  ): Promise<Uint8Array<ArrayBuffer>>;
  /** Reads bytes [offset, offset + length) of the file. */
  readBytes(
    offset: number,
    length: number,
    options?: { signal?: AbortSignal; base?: PageSource },
  ): Promise<Uint8Array<ArrayBuffer>>;
}

/** Anything with positioned reads; object stores answer these with byte ranges. */
export interface RandomAccess {
  /** Bytes. */
  readonly size: number;
  /** Fills `into` with the bytes from `offset` on; returns how many there were. */
  read(offset: number, into: Uint8Array, signal?: AbortSignal): Promise<number>;
}

/** An archive opened for reading; starts no worker. */
export interface Archive extends AsyncDisposable {
  /** In the order in which they were packed. */
  readonly images: readonly ArchivedImageInfo[];
  /** Number of the last commit; 0: it came through a pipe. */
  readonly generation: number;
  /** Committed bytes. */
  readonly byteLength: number;
  /** RANGE when there is no such image. */
  image(name: string): ArchivedImage;
  /** Reads every byte and every page once, in this thread. */
  verify(options?: VerifyOptions): Promise<VerifyReport>;
  /** Reads the whole index: how scattered images are and what dropping one would free. */
  usage(signal?: AbortSignal): Promise<ImageUsage[]>;
  /** Closes the file, if it was opened by path. */
  close(): Promise<void>;
}

/** What an image costs where it lies. */
export interface ImageUsage {
  /** As in the archive. */
  name: string;
  /** Clusters that must be decoded to read the image, per MiB of it. */
  clustersPerMiB: number;
  /** Bytes of the archive that no other image needs. */
  exclusiveBytes: number;
}
