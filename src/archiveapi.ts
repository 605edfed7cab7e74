// The public types of an archive that is open for reading; api.ts has those of the engine.
import type { VerifyOptions, VerifyReport } from "./api.ts";
import type { PageSource } from "./image/image.ts";
import type { FrameCounts } from "./wire/imagehead.ts";

/** An image in an archive. */
export interface ArchivedImageInfo {
  name: string;
  format: string;
  byteLength: number;
  frameCount: number;
  mtimeMs: number;
  notes: Record<string, string>;
  counts: FrameCounts;
  storedBytes: number;
  /** 16 bytes, docs/format.md §3. */
  checksum: Uint8Array;
  sha256: string | undefined;
  /** The image this one was made against, and its checksum. */
  base: { name: string; byteLength: number; checksum: Uint8Array } | undefined;
}

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
  readonly images: readonly ArchivedImageInfo[];
  readonly generation: number;
  readonly byteLength: number;
  /** RANGE when there is no such image. */
  image(name: string): ArchivedImage;
  /** Reads every byte and every page once, in this thread. */
  verify(options?: VerifyOptions): Promise<VerifyReport>;
  /** Reads the whole index: how scattered images are and what dropping one would free. */
  usage(signal?: AbortSignal): Promise<ImageUsage[]>;
  close(): Promise<void>;
}

export interface ImageUsage {
  name: string;
  /** Clusters that must be decoded to read the image, per MiB of it. */
  clustersPerMiB: number;
  /** Bytes of the archive that no other image needs. */
  exclusiveBytes: number;
}
