// What files are compressed with, told by their first bytes, and how their content is read:
// forwards, from streams of any pieces, in bounded memory. One may be inside another one, not more.
import { ZSTD_MAGIC_BYTES, zstdMagic } from "../../core/zstdframe.ts";
import { formatOf, HEAD_BYTES, type ReadOptions } from "../formats.ts";
import { decompressedSave, saveCompression } from "../migration/libvirtsave.ts";
import type { Compression } from "../opened.ts";
import { avmlContent, isAvml } from "./avml.ts";
import { inflated, inflatedHead, isGzip } from "./gzip.ts";
import { Lz4Reader } from "./lz4frame.ts";
import { lz4Magic } from "./lz4head.ts";
import { type Peeked, peek } from "./peek.ts";
import { SnappyReader } from "./snappyframes.ts";
import { ZstdReader } from "./zstd.ts";

/** A third container inside of two others is taken for what it is. */
const MAX_CONTAINERS = 2;

/** What a stream was compressed with, from outside to inside, and what is in it. */
export interface Unwrapped extends Peeked {
  readonly containers: readonly Compression[];
}

/** Reads what is in containers, one after another, in the same memory. */
export class Containers {
  private readonly wasm: Uint8Array | URL | undefined;
  /** By how deep the container is: a decoder can read but one stream at a time. */
  private readonly zstd: ZstdReader[] = [];
  private readonly lz4: Lz4Reader[] = [];
  private readonly snappy: SnappyReader[] = [];

  /** The kernels are compiled when they are first needed; default: those of the package. */
  constructor(wasm?: Uint8Array | URL) {
    this.wasm = wasm;
  }

  /** Looks into all containers. */
  async unwrap(bytes: AsyncIterable<Uint8Array>, options: ReadOptions): Promise<Unwrapped> {
    const containers: Compression[] = [];
    let content = bytes;
    for (;;) {
      const peeked = await peek(content, HEAD_BYTES, options.signal);
      const found = compressionOf(peeked.head);
      if (found === undefined || containers.length === MAX_CONTAINERS) {
        return { ...peeked, containers };
      }
      content = this.readOne(found, containers.length, peeked.bytes, options);
      containers.push(found);
    }
  }

  /**
   * The content of `containers`, in pieces of up to some hundred KiB, each of them valid until the
   * next one is asked for. One stream has to be left before the next one is begun.
   */
  read(
    containers: readonly Compression[],
    bytes: AsyncIterable<Uint8Array>,
    options: ReadOptions,
  ): AsyncIterable<Uint8Array> {
    return containers.reduce(
      (content, container, depth) => this.readOne(container, depth, content, options),
      bytes,
    );
  }

  /** The bytes that `read` would give, without decoding what says how many it holds. */
  async contentBytes(
    containers: readonly Compression[],
    bytes: AsyncIterable<Uint8Array>,
    options: ReadOptions,
  ): Promise<number> {
    const depth = containers.length - 1;
    if (containers[depth] === "zstd") {
      const inside = this.read(containers.slice(0, -1), bytes, options);
      return this.zstdReader(depth).contentBytes(inside, options);
    }
    let byteLength = 0;
    for await (const piece of this.read(containers, bytes, options)) byteLength += piece.length;
    return byteLength;
  }

  private readOne(
    container: Compression,
    depth: number,
    bytes: AsyncIterable<Uint8Array>,
    options: ReadOptions,
  ): AsyncIterable<Uint8Array> {
    switch (container) {
      case "zstd":
        return this.zstdReader(depth).read(bytes, options);
      case "lz4":
        this.lz4[depth] ??= new Lz4Reader(this.wasm);
        return this.lz4[depth].read(bytes, options);
      case "avml":
        this.snappy[depth] ??= new SnappyReader(this.wasm);
        return avmlContent(bytes, this.snappy[depth], options);
      case "gzip":
      case "zlib":
        return inflated(bytes, container, options);
      case "libvirt-gzip":
      case "libvirt-zstd": {
        const inside = container === "libvirt-gzip" ? "gzip" : "zstd";
        const decompress = (stream: AsyncIterable<Uint8Array>) =>
          this.readOne(inside, depth, stream, options);
        return decompressedSave(bytes, decompress, options.signal);
      }
    }
  }

  private zstdReader(depth: number): ZstdReader {
    this.zstd[depth] ??= new ZstdReader(this.wasm);
    return this.zstd[depth];
  }
}

/** What a file is compressed with that begins with `head` (HEAD_BYTES of it). */
export function compressionOf(head: Uint8Array): Compression | undefined {
  if (isGzip(head)) return "gzip";
  if (isAvml(head)) return "avml";
  const frame = frameAt(head);
  if (frame !== undefined) return frame;
  const save = saveCompression(head);
  if (save !== undefined) return save;
  // A dump of LiME with `compress=1`; anything else would be a guess.
  const inside = inflatedHead(head);
  return inside && formatOf(inside)?.format === "lime" ? "zlib" : undefined;
}

/** Skippable frames are the same in LZ4 and Zstandard; what follows them tells. */
function frameAt(head: Uint8Array, at = 0): "lz4" | "zstd" | undefined {
  if (head.length - at < ZSTD_MAGIC_BYTES) return undefined;
  const { buffer, byteOffset, length } = head;
  const view = new DataView(buffer, byteOffset, length);
  const lz4 = lz4Magic(view.getUint32(at, true));
  if (lz4 === "frame" || lz4 === "legacy") return "lz4";
  if (zstdMagic(head.subarray(at)) === "frame") return "zstd";
  if (lz4 === undefined) return undefined;
  const size = at + ZSTD_MAGIC_BYTES;
  if (length - size < 4) return "zstd";
  return frameAt(head, size + 4 + view.getUint32(size, true)) ?? "zstd";
}
