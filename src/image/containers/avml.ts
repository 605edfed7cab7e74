// AVML's compressed dumps (version 2; src/image.rs and src/io/snappy.rs of microsoft/avml): ranges
// of physical memory, each a stream of snappy's framing format. What is in them is the LiME file
// that `avml convert` makes of it, a range for each range. AVML's other dumps are LiME files.
//
//   +0 magic u32 "AVML" | +4 version u32, 2 | +8 first address u64 | +16 last one u64 | +24 0 u64
//   | snappy frames | u64: bytes of these
import { PagefoldError } from "../../core/errors.ts";
import { PieceReader } from "../../core/piecereader.ts";
import type { ReadOptions } from "../formats.ts";
import { encodeLimeHeader, LIME_HEADER_BYTES } from "../lime.ts";
import type { SnappyReader } from "./snappyframes.ts";

const MAGIC = 0x4c4d_5641;
const VERSION = 2;
const LENGTH_BYTES = 8;

/** True if the bytes begin such a dump. */
export function isAvml({ buffer, byteOffset, length }: Uint8Array): boolean {
  if (length < LIME_HEADER_BYTES) return false;
  const head = new DataView(buffer, byteOffset, LIME_HEADER_BYTES);
  return head.getUint32(0, true) === MAGIC && head.getUint32(4, true) === VERSION;
}

/** The LiME file in `bytes`, in pieces that are valid until the next one is asked for. */
export async function* avmlContent(
  bytes: AsyncIterable<Uint8Array>,
  snappy: SnappyReader,
  { name, signal }: ReadOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const pieces = new PieceReader(bytes, signal);
  try {
    for (let range = 1; ; range++) {
      const at = pieces.position;
      const head = await pieces.take(LIME_HEADER_BYTES);
      if (head.length === 0) return;
      const what = `${name}: AVML range ${range} at byte ${at}`;
      const { address, byteLength } = decodeHead(head, what);
      yield encodeLimeHeader(address, byteLength);
      yield* rangeContent(pieces, snappy, byteLength, what);
    }
  } finally {
    await pieces.close();
  }
}

function decodeHead(bytes: Uint8Array, what: string): { address: bigint; byteLength: number } {
  if (bytes.length < LIME_HEADER_BYTES) {
    throw new PagefoldError("DAMAGED", `${what}: truncated: ${bytes.length} bytes of its head`);
  }
  const head = new DataView(bytes.buffer, bytes.byteOffset, LIME_HEADER_BYTES);
  if (!isAvml(bytes) || head.getBigUint64(24, true) !== 0n) {
    throw new PagefoldError("DAMAGED", `${what}: begins no range of version ${VERSION}`);
  }
  const address = head.getBigUint64(8, true);
  const last = head.getBigUint64(16, true);
  const byteLength = Number(last - address + 1n);
  if (byteLength < 1 || !Number.isSafeInteger(byteLength)) {
    const [from, to] = [address, last].map((place) => `0x${place.toString(16)}`);
    throw new PagefoldError("DAMAGED", `${what}: reaches from ${from} to ${to}`);
  }
  return { address, byteLength };
}

/** A range ends with its last byte of memory: the frames do not say how many follow. */
async function* rangeContent(
  pieces: PieceReader,
  snappy: SnappyReader,
  byteLength: number,
  what: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const start = pieces.position;
  const chunks = snappy.open(pieces, what);
  for (let done = 0; done < byteLength; ) {
    const piece = await chunks.next();
    if (piece === undefined) {
      const reason = `truncated: the input ends after ${done} bytes of ${byteLength}`;
      throw new PagefoldError("DAMAGED", `${what}: ${reason}`);
    }
    done += piece.length;
    if (done > byteLength) {
      throw new PagefoldError("DAMAGED", `${what}: holds more than ${byteLength} bytes`);
    }
    yield piece;
  }
  const framesBytes = pieces.position - start;
  const stored = await pieces.take(LENGTH_BYTES);
  if (stored.length < LENGTH_BYTES) {
    throw new PagefoldError("DAMAGED", `${what}: truncated: the length of its frames is missing`);
  }
  const view = new DataView(stored.buffer, stored.byteOffset, LENGTH_BYTES);
  if (view.getBigUint64(0, true) !== BigInt(framesBytes)) {
    const says = `its end says ${view.getBigUint64(0, true)}`;
    throw new PagefoldError("DAMAGED", `${what}: its frames have ${framesBytes} bytes, ${says}`);
  }
}
