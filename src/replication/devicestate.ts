// What a captured guest is beside its memory: the head of its migration stream up to the list of
// RAM blocks, and the devices behind the memory. With other pages in between it is a stream again.
//
//   "PFDV" u8 version, u8 kind, head, tail: varint count, bytes;
//   varint shared blocks, each: varint block, string path
import { ByteReader, ByteWriter } from "../core/bytes.ts";
import { MAX_BLOCKS } from "../qemu/blocks.ts";

/** How a guest was captured: all memory in the stream, or shared blocks in files. */
export type CaptureKind = "snapshot" | "shared" | "precopy";

/** A block of RAM that does not lie in the stream, and where the guest's QEMU has its file. */
export interface SharedBlock {
  /** In the order of the stream, from 0. */
  readonly block: number;
  readonly path: string;
}

export interface DeviceState {
  readonly kind: CaptureKind;
  /** Ends with the footer of the section that lists the blocks. */
  readonly head: Uint8Array;
  /** Begins with the first device, ends with the stream. */
  readonly tail: Uint8Array;
  readonly sharedBlocks: readonly SharedBlock[];
}

const MAGIC = new TextEncoder().encode("PFDV");
const VERSION = 1;
const KINDS: readonly CaptureKind[] = ["snapshot", "shared", "precopy"];
/** The list of 4096 blocks has less. */
const MAX_HEAD_BYTES = 4 << 20;
const MAX_TAIL_BYTES = 1 << 30;
const MAX_PATH_BYTES = 4096;

export function encodeDeviceState({ kind, head, tail, sharedBlocks }: DeviceState): Uint8Array {
  const out = new ByteWriter(head.length + tail.length + 256);
  out.raw(MAGIC);
  out.u8(VERSION);
  out.u8(KINDS.indexOf(kind));
  out.string(head);
  out.string(tail);
  out.varint(sharedBlocks.length);
  for (const { block, path } of sharedBlocks) {
    out.varint(block);
    out.string(path);
  }
  return out.take();
}

export function decodeDeviceState(bytes: Uint8Array): DeviceState {
  const reader = new ByteReader(bytes, "device state");
  const magic = reader.raw(MAGIC.length);
  if (!MAGIC.every((byte, i) => byte === magic[i])) reader.fail("it is none");
  const version = reader.u8();
  if (version !== VERSION) reader.fail(`version ${version}, only ${VERSION} is known`);
  const kindNumber = reader.u8();
  const kind = KINDS.at(kindNumber) ?? reader.fail(`captured in way ${kindNumber}`);
  const head = reader.counted(MAX_HEAD_BYTES);
  const tail = reader.counted(MAX_TAIL_BYTES);
  const sharedBlocks: SharedBlock[] = [];
  for (let left = reader.varint(MAX_BLOCKS); left > 0; left--) {
    const block = reader.varint(MAX_BLOCKS - 1);
    if (sharedBlocks.some((other) => other.block === block)) reader.fail(`block ${block} again`);
    sharedBlocks.push({ block, path: reader.string(MAX_PATH_BYTES) });
  }
  reader.end();
  return { kind, head, tail, sharedBlocks };
}
