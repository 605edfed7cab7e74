// What opening an image gives: a file whose bytes can be read in any order, or content that comes
// forwards. How either comes about is the business of open.ts.
import type { Segment } from "../core/extent.ts";
import type { Region } from "./layout.ts";

export type ImageFormat =
  | "raw"
  | "elf-core"
  | "lime"
  | "kdump"
  | "qemu-migration"
  | "qemu-mapped-ram"
  | "libvirt-save";

/** An open image. Its content may change while it is open; that is what `checkUnchanged` tells. */
export interface OpenImage {
  readonly path: string;
  /** When it was opened. */
  readonly mtimeNs: bigint;
  /** Of what is in it, when it is compressed. */
  readonly format: ImageFormat;
  /** The outermost compression of the file; its content was inside. */
  readonly decompressed: Compression | DumpCompression | undefined;
  /** Of the kernel whose memory it is, if the head of its dump tells. */
  readonly kernelRelease?: string | undefined;
  /**
   * Throws CHANGED when the file has another size than when it was opened. Returns a warning when
   * only its time has changed: what was read is then a mixture of states.
   */
  checkUnchanged(): string | undefined;
  close(): Promise<void>;
}

/** An image whose bytes can be read in any order. */
export interface ImageFile extends OpenImage {
  /** Opened for reading only; a file descriptor of the process, so worker threads may use it. */
  readonly fd: number;
  /** When it was opened. */
  readonly byteLength: number;
  /** A partition of bytes [0, byteLength), in order; none when the file is empty. */
  readonly segments: readonly Segment[];
  /** The addresses of segments, where the format keeps them. */
  readonly regions: readonly Region[];
}

/** What a file was compressed with, when its content is taken for the image. */
export type Compression =
  | "gzip"
  | "lz4"
  | "zstd"
  | "zlib"
  | "avml"
  | "libvirt-gzip"
  | "libvirt-zstd";

/** What the pages of a dump were compressed with, when they are not compressed again. */
export type DumpCompression = "kdump-zlib" | "kdump-snappy" | "kdump-zstd";

/** What is known of a woven image when its content was read to the end. */
export interface Woven {
  /** Of the file that unpacking gives. */
  readonly fileBytes: number;
}

/** Told of the bytes of a file in their order. */
export interface ByteObserver {
  update(bytes: Uint8Array): unknown;
}

/**
 * An image whose content comes forwards only, because a file is decompressed or because it is taken
 * apart into pages and how they were put together (woven.ts).
 */
export interface ForwardImage extends OpenImage {
  readonly fd: undefined;
  /** Of the content; undefined if that is known only when it was read. */
  readonly byteLength: number | undefined;
  /** Undefined: one, as long as the content. */
  readonly segments: readonly Segment[] | undefined;
  /** The addresses of segments, where they are known. */
  readonly regions?: readonly Region[] | undefined;
  /** Set when the content is not the file's but that of a woven image (woven.ts). */
  readonly woven: Woven | undefined;
  /**
   * The content from its beginning; a piece is valid until the next one is asked for. `observer` is
   * told of the bytes that unpacking will give, which for a woven image are those of the file.
   */
  content(signal?: AbortSignal, observer?: ByteObserver): AsyncIterable<Uint8Array>;
}

/** `content`, piece by piece, after `observer` was told of it. */
export async function* observed(
  content: AsyncIterable<Uint8Array>,
  observer: ByteObserver | undefined,
): AsyncGenerator<Uint8Array> {
  for await (const piece of content) {
    observer?.update(piece);
    yield piece;
  }
}
