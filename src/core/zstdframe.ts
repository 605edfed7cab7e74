// Heads of Zstandard frames and blocks (RFC 8878 §3.1), for whoever reads frames from a stream, or
// asks what a payload is made of. What blocks hold is decoded by the kernels; nothing is written.
//
//   frame:      magic fd2fb528 | descriptor u8 | window u8? | dictionary 0 1 2 4 | size 0 1 2 4 8
//               | blocks | checksum u32?
//   descriptor: width of size 7-6 | single segment 5 | unused 4 | reserved 3 | checksum 2
//               | width of dictionary 1-0      (a single segment has no window, but a size)
//   block:      u24: size 23-3 | kind 2-1 | last 0 — then the content
//   skippable:  magic 184d2a50 … 184d2a5f | size u32 | anything
/** Bytes that tell what kind of frame follows. */
export const ZSTD_MAGIC_BYTES = 4;
export const ZSTD_BLOCK_HEAD_BYTES = 3;
export const ZSTD_CHECKSUM_BYTES = 4;
/** The largest block that any frame may have. */
export const ZSTD_MAX_BLOCK_BYTES = 131_072;

const MAGIC = 0xfd2f_b528;
const SKIPPABLE_MAGIC = 0x184d_2a50;
const RESERVED_BIT = 8;

export type ZstdMagic = "frame" | "skippable" | "other";

/** What the four bytes begin. */
export function zstdMagic(bytes: Uint8Array): ZstdMagic {
  if (bytes.length < ZSTD_MAGIC_BYTES) return "other";
  const magic = viewOf(bytes).getUint32(0, true);
  if (magic === MAGIC) return "frame";
  return magic - (magic % 16) === SKIPPABLE_MAGIC ? "skippable" : "other";
}

export interface ZstdFrameHead {
  /** How far matches reach back at most. */
  readonly windowBytes: number;
  /** No block of the frame is larger. */
  readonly maxBlockBytes: number;
  /** 0: none. */
  readonly dictionary: number;
  readonly contentBytes: number | undefined;
  readonly hasChecksum: boolean;
}

/** Bytes of a frame head behind the descriptor, its first byte behind the magic. */
export function zstdFrameHeadBytes(descriptor: number): number {
  const { windowWidth, dictionaryWidth, contentWidth } = widths(descriptor);
  return windowWidth + dictionaryWidth + contentWidth;
}

/** Reads a frame head, of which `bytes` is what follows the descriptor; undefined if it is bad. */
export function decodeZstdFrameHead(
  descriptor: number,
  bytes: Uint8Array,
): ZstdFrameHead | undefined {
  if ((descriptor & RESERVED_BIT) !== 0) return undefined;
  const { windowWidth, dictionaryWidth, contentWidth } = widths(descriptor);
  let contentBytes: number | undefined;
  if (contentWidth > 0) {
    contentBytes = numberAt(bytes, windowWidth + dictionaryWidth, contentWidth);
    if (contentWidth === 2) contentBytes += 256;
  }
  const windowBytes = windowWidth === 0 ? (contentBytes ?? 0) : windowOf(bytes[0]);
  return {
    windowBytes,
    maxBlockBytes: Math.min(windowBytes, ZSTD_MAX_BLOCK_BYTES),
    dictionary: numberAt(bytes, windowWidth, dictionaryWidth),
    contentBytes,
    hasChecksum: (descriptor & 4) !== 0,
  };
}

function widths(descriptor: number) {
  const isSingle = (descriptor & 32) !== 0;
  return {
    windowWidth: isSingle ? 0 : 1,
    dictionaryWidth: [0, 1, 2, 4][descriptor & 3],
    contentWidth: [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6],
  };
}

/** 1 KiB and more: a power of two in 5 bits, eighths of it in 3. */
function windowOf(byte: number): number {
  const base = 2 ** (10 + (byte >> 3));
  return base + (base / 8) * (byte & 7);
}

/** Sizes above 2^53 lose their last bits, and are far above every limit. */
function numberAt(bytes: Uint8Array, offset: number, width: number): number {
  let value = 0;
  for (let i = width - 1; i >= 0; i--) value = value * 256 + bytes[offset + i];
  return value;
}

export type ZstdBlockKind = "raw" | "repeated" | "compressed" | "reserved";

export interface ZstdBlockHead {
  readonly kind: ZstdBlockKind;
  readonly isLast: boolean;
  /** Bytes of the content, which for a repeated byte is one. */
  readonly storedBytes: number;
  /** What the head says: for a repeated byte how often, otherwise the same as `storedBytes`. */
  readonly size: number;
}

const KINDS: readonly ZstdBlockKind[] = ["raw", "repeated", "compressed", "reserved"];

export function decodeZstdBlockHead(bytes: Uint8Array): ZstdBlockHead {
  const head = numberAt(bytes, 0, ZSTD_BLOCK_HEAD_BYTES);
  const kind = KINDS[(head >> 1) & 3];
  const size = head >> 3;
  return { kind, isLast: (head & 1) !== 0, storedBytes: kind === "repeated" ? 1 : size, size };
}

/**
 * What keeps `bytes` from being one frame, and nothing else, that says it holds `contentBytes` and
 * needs no dictionary; undefined if nothing does. The content of its blocks is not looked at.
 */
export function faultOfZstdPayload(bytes: Uint8Array, contentBytes: number): string | undefined {
  if (zstdMagic(bytes) !== "frame") return "the payload begins no Zstandard frame";
  const descriptor = bytes[ZSTD_MAGIC_BYTES];
  let at = ZSTD_MAGIC_BYTES + 1;
  const headEnd = at + zstdFrameHeadBytes(descriptor);
  if (!(headEnd <= bytes.length)) return "the head of its Zstandard frame is cut off";
  const head = decodeZstdFrameHead(descriptor, bytes.subarray(at, headEnd));
  if (!head) return "the head of its Zstandard frame has its reserved bit set";
  if (head.dictionary !== 0) return `its Zstandard frame needs the dictionary ${head.dictionary}`;
  if (head.contentBytes !== contentBytes) {
    const says = head.contentBytes ?? "no number of";
    return `its Zstandard frame says ${says} bytes, the header ${contentBytes}`;
  }
  at = headEnd;
  for (let isLast = false; !isLast; ) {
    if (at + ZSTD_BLOCK_HEAD_BYTES > bytes.length) return "its Zstandard frame is cut off";
    const block = decodeZstdBlockHead(bytes.subarray(at, at + ZSTD_BLOCK_HEAD_BYTES));
    at += ZSTD_BLOCK_HEAD_BYTES + block.storedBytes;
    isLast = block.isLast;
  }
  if (head.hasChecksum) at += ZSTD_CHECKSUM_BYTES;
  const over = bytes.length - at;
  if (over < 0) return "its Zstandard frame is cut off";
  return over > 0 ? `${over} bytes follow its Zstandard frame` : undefined;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
