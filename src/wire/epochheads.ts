// What is in the heads of a session between a primary and its backup (docs/replication.md): which
// guest, which epoch, and what an epoch is made of.
import { ByteReader, ByteWriter } from "../core/bytes.ts";
import { frameName, type SessionFrame } from "./sessionframe.ts";

const VERSION = 1;
const MAX_IDENTITY_BYTES = 1 << 20;
const CHECKSUM_BYTES = 16;
/** What a part holds before it was compressed. */
const MAX_PART_BYTES = 1 << 20;

/** What the parts of an epoch are. */
export const EpochPart = { MEMORY: 1, DEVICES: 2 } as const;
export type EpochPart = (typeof EpochPart)[keyof typeof EpochPart];

/**
 * Whether the world may have heard more of a guest than its epoch knows. Held: it has not while
 * this is the last epoch. Behind: it was to be so, but is not, or need not stay so. Free: nobody
 * has held anything.
 */
export const EPOCH_OUTPUTS = ["free", "held", "behind"] as const;
export type EpochOutput = (typeof EPOCH_OUTPUTS)[number];

/** An epoch that is durable; number 0: there is none. */
export interface DurableEpoch {
  readonly epoch: number;
  readonly checksum: Uint8Array;
}

export interface PartHead {
  readonly epoch: number;
  readonly part: EpochPart;
  /** Whether the memory comes as a whole: what the backup holds of it does not count. */
  readonly isFull: boolean;
  /** Bytes of the content; as many as the body has when it is not compressed. */
  readonly contentBytes: number;
  /** XXH64 of the body. */
  readonly bodyHash: bigint;
}

export interface SealHead extends DurableEpoch {
  readonly isFull: boolean;
  /** When the guest stood still: milliseconds since 1970. */
  readonly timeMs: number;
  readonly output: EpochOutput;
}

export function encodePrimary(identity: string): Uint8Array {
  const writer = new ByteWriter();
  writer.varint(VERSION);
  writer.string(identity);
  return writer.take();
}

/** The identity of the guest, as JSON. */
export function decodePrimary(frame: SessionFrame): string {
  const reader = openVersioned(frame);
  const identity = reader.string(MAX_IDENTITY_BYTES);
  reader.end();
  return identity;
}

export function encodeBackup({ epoch, checksum }: DurableEpoch): Uint8Array {
  const writer = new ByteWriter();
  writer.varint(VERSION);
  writer.varint(epoch);
  writer.raw(checksum);
  return writer.take();
}

export function decodeBackup(frame: SessionFrame): DurableEpoch {
  const reader = openVersioned(frame);
  const epoch = reader.varint();
  const checksum = reader.raw(CHECKSUM_BYTES).slice();
  reader.end();
  return { epoch, checksum };
}

export function encodePart({ epoch, part, isFull, contentBytes, bodyHash }: PartHead): Uint8Array {
  const writer = new ByteWriter();
  writer.varint(epoch);
  writer.u8(part);
  writer.u8(isFull ? 1 : 0);
  writer.varint(contentBytes);
  writer.u64(bodyHash);
  return writer.take();
}

export function decodePart(frame: SessionFrame): PartHead {
  const reader = open(frame);
  const epoch = reader.varint();
  const part = reader.u8();
  if (part !== EpochPart.MEMORY && part !== EpochPart.DEVICES) reader.fail(`part ${part}`);
  const isFull = readFlag(reader);
  const contentBytes = reader.varint(MAX_PART_BYTES);
  const bodyHash = reader.u64();
  reader.end();
  return { epoch, part: part as EpochPart, isFull, contentBytes, bodyHash };
}

export function encodeSeal({ epoch, checksum, isFull, timeMs, output }: SealHead): Uint8Array {
  const writer = new ByteWriter();
  writer.varint(epoch);
  writer.u8(isFull ? 1 : 0);
  writer.varint(timeMs);
  writer.raw(checksum);
  writer.u8(EPOCH_OUTPUTS.indexOf(output));
  return writer.take();
}

export function decodeSeal(frame: SessionFrame): SealHead {
  const reader = open(frame);
  const epoch = reader.varint();
  const isFull = readFlag(reader);
  const timeMs = reader.varint();
  const checksum = reader.raw(CHECKSUM_BYTES).slice();
  const code = reader.u8();
  const output = EPOCH_OUTPUTS.at(code) ?? reader.fail(`output ${code}`);
  reader.end();
  return { epoch, checksum, isFull, timeMs, output };
}

export function encodeStored(epoch: number): Uint8Array {
  const writer = new ByteWriter();
  writer.varint(epoch);
  return writer.take();
}

export function decodeStored(frame: SessionFrame): number {
  const reader = open(frame);
  const epoch = reader.varint();
  reader.end();
  return epoch;
}

function open(frame: SessionFrame): ByteReader {
  return new ByteReader(frame.head, `session: ${frameName(frame)}`);
}

function openVersioned(frame: SessionFrame): ByteReader {
  const reader = open(frame);
  const version = reader.varint();
  if (version !== VERSION)
    reader.fail(`version ${version} of replication, only ${VERSION} is known`);
  return reader;
}

function readFlag(reader: ByteReader): boolean {
  const flag = reader.u8();
  if (flag > 1) reader.fail(`flag ${flag}`);
  return flag === 1;
}
