// The public types of an archive that is open for reading, and those that operations share;
// api.ts has those of the engine.
import type { PageSource } from "./image/image.ts";
import type { FrameCounts } from "./wire/imagehead.ts";

/** Progress of one operation; called at most every 100 ms and once at the end. */
export interface Progress {
  /** Name of the image being worked on. */
  image: string;
  /** Bytes of input done and, where known, in all. */
  doneBytes: number;
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

/** An image that is not in the archive: a file, or one image of another archive. */
export type BaseInput = { path: string } | { archive: string; name: string };

/** Frames [first, first + count) of an image that cannot be had, and why. */
export interface LostRange {
  name: string;
  firstFrame: number;
  frameCount: number;
  reason: string;
}

/** How to verify. Images made against a base need it. */
export interface VerifyOptions extends OperationOptions {
  base?: BaseInput | undefined;
}

/** What verifying found. Damage is a finding here, never an error. */
export interface VerifyReport {
  /** True when every byte and every image is what its checksum says. */
  intact: boolean;
  images: { name: string; byteLength: number; intact: boolean }[];
  /** Faults of the container, one line each ("superblock 1: wrong checksum"). */
  faults: string[];
  lost: LostRange[];
  checkedBytes: number;
  elapsedMs: number;
}

/** What an archive says of an image in it. */
export interface ArchivedImageInfo {
  /** Relative, with `/` between parts. */
  name: string;
  /** "raw" or "elf-core". */
  format: string;
  /** Of the file. */
  byteLength: number;
  /** Pages of its segments, a last partial one of each included. */
  frameCount: number;
  /** Since 1970, of the file when it was packed. */
  mtimeMs: number;
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
  name: string;
  /** Clusters that must be decoded to read the image, per MiB of it. */
  clustersPerMiB: number;
  /** Bytes of the archive that no other image needs. */
  exclusiveBytes: number;
}
