// The beginning of a QEMU migration stream that was saved: the configuration and the list of RAM
// blocks, as far as they are understood. Lenient, unlike src/qemu: a stream is packed whatever it
// says, so what is not understood is undefined here and no error.
import {
  MAX_BLOCK_NAME_BYTES,
  Part,
  RAM_FLAGS,
  RAM_HEADER_BYTES,
  RAM_VERSION,
  Ram,
  STREAM_MAGIC,
  STREAM_VERSION,
} from "../../qemu/stream.ts";
import type { ListedBlock } from "./machinememory.ts";

/** Bytes that tell a stream from other files. */
export const MIGRATION_HEAD_BYTES = 8;
/** Machine names of real QEMUs have some 20 bytes. */
const MAX_MACHINE_BYTES = 1024;
const MAX_CAPABILITIES = 256;
const MAX_BLOCKS = 4096;
/** A block has a page size and an address at most behind its length. */
const MAX_BLOCK_FIELDS = 2;
/** u8 3, "ram", be32 instance 0, be32 version: in the start of the section, behind type and id. */
const RAM_NAME = Buffer.from([3, 0x72, 0x61, 0x6d, 0, 0, 0, 0, 0, 0, 0, RAM_VERSION]);
/** Type and id of a section. */
export const SECTION_BYTES = 5;
/** What a section "ram" starts with, before its list of blocks. */
export const RAM_START_BYTES = SECTION_BYTES + RAM_NAME.length;
const text = new TextDecoder();

export interface Configuration {
  /** Empty if it does not say. */
  readonly machine: string;
  readonly capabilities: readonly string[];
  /** Bits of a page's number of bytes, if it says. */
  readonly pageBits: number | undefined;
  /** Bytes up to what follows. */
  readonly byteLength: number;
}

/** Whether a file that begins so is a migration stream. */
export function isMigration(head: Uint8Array): boolean {
  if (head.length < MIGRATION_HEAD_BYTES) return false;
  const view = viewOf(head);
  return view.getUint32(0) === STREAM_MAGIC && view.getUint32(4) === STREAM_VERSION;
}

/** Whether its pages lie in the file as they do in memory (capability mapped-ram of QEMU 9). */
export function isMappedRam(head: Uint8Array): boolean {
  return isMigration(head) && readConfiguration(head).capabilities.includes("mapped-ram");
}

/** The configuration behind magic and version, up to what is not understood or not there. */
export function readConfiguration(head: Uint8Array): Configuration {
  const view = viewOf(head);
  const configuration = {
    machine: "",
    capabilities: [] as string[],
    pageBits: undefined as number | undefined,
    byteLength: MIGRATION_HEAD_BYTES,
  };
  const at = MIGRATION_HEAD_BYTES;
  if (at + 5 > head.length || head[at] !== Part.CONFIGURATION) return configuration;
  const nameBytes = view.getUint32(at + 1);
  if (nameBytes > MAX_MACHINE_BYTES || at + 5 + nameBytes > head.length) return configuration;
  configuration.machine = text.decode(head.subarray(at + 5, at + 5 + nameBytes));
  configuration.byteLength = at + 5 + nameBytes;
  for (;;) {
    const { byteLength: from } = configuration;
    if (head[from] !== Part.SUBSECTION) return configuration;
    const name = nameAt(head, from + 1);
    if (name === undefined) return configuration;
    // u8 length, name, be32 version.
    const content = from + 2 + name.length + 4;
    const end = subsectionEnd(head, view, name, content, configuration);
    if (end === undefined || end > head.length) return configuration;
    configuration.byteLength = end;
  }
}

/** Takes note of a subsection that is known, and says where it ends. */
function subsectionEnd(
  head: Uint8Array,
  view: DataView,
  name: string,
  content: number,
  found: { capabilities: string[]; pageBits: number | undefined },
): number | undefined {
  if (name === "configuration/uuid") return content + 16;
  if (content + 4 > head.length) return undefined;
  const number = view.getUint32(content);
  let at = content + 4;
  if (name === "configuration/target-page-bits") {
    found.pageBits = number;
    return at;
  }
  if (name !== "configuration/capabilities" || number > MAX_CAPABILITIES) return undefined;
  for (let i = 0; i < number; i++) {
    const capability = nameAt(head, at);
    if (capability === undefined) return undefined;
    found.capabilities.push(capability);
    at += 1 + capability.length;
  }
  return at;
}

/** Where the section "ram" starts, from `from` on, or -1. */
export function ramStartIn(head: Uint8Array, from: number): number {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.length);
  for (let sought = from + SECTION_BYTES; ; ) {
    const name = bytes.indexOf(RAM_NAME, sought);
    if (name < 0) return -1;
    if (bytes[name - SECTION_BYTES] === Part.START) return name - SECTION_BYTES;
    sought = name + 1;
  }
}

/** What the first record of RAM says, and the bytes up to the part's end; undefined if unclear. */
export function readBlocks(
  bytes: Uint8Array,
  from: number,
): { blocks: ListedBlock[]; end: number } | undefined {
  const view = viewOf(bytes);
  let at = from + RAM_HEADER_BYTES;
  if (at > bytes.length || (view.getUint32(from + 4) & RAM_FLAGS) !== Ram.MEM_SIZE) return;
  let left = be64(view, from) - Ram.MEM_SIZE;
  const blocks: ListedBlock[] = [];
  while (left > 0 && blocks.length < MAX_BLOCKS) {
    const block = readBlock(bytes, view, at);
    if (block === undefined || block.byteLength > left) return;
    blocks.push(block);
    left -= block.byteLength;
    at = block.end;
    // Nothing says whether fields follow the length; but the length of a name is not 0, and what
    // follows the last block has flags.
    for (let fields = 0; bytes[at] === 0 && fields < MAX_BLOCK_FIELDS; fields++) {
      if (at + RAM_HEADER_BYTES > bytes.length) return;
      if ((view.getUint32(at + 4) & RAM_FLAGS) !== 0) break;
      at += 8;
    }
  }
  return left === 0 ? { blocks, end: at } : undefined;
}

/** u8 length, name, be64 bytes. */
export function readBlock(bytes: Uint8Array, view: DataView, at: number) {
  const name = nameAt(bytes, at);
  if (name === undefined) return;
  const end = at + 1 + bytes[at] + 8;
  if (end > bytes.length) return;
  return { name, byteLength: be64(view, end - 8), end };
}

/** u8 length, name; undefined if it is empty, not there or no text of one byte a character. */
export function nameAt(bytes: Uint8Array, at: number): string | undefined {
  const length = bytes[at];
  if (!length || at + 1 + length > bytes.length) return;
  const name = bytes.subarray(at + 1, at + 1 + length);
  if (name.length > MAX_BLOCK_NAME_BYTES || !name.every(isPrintable)) return;
  return text.decode(name);
}

/** A number that a be64 holds; above 2^53 it is rounded, which is beyond every limit anyway. */
export function be64(view: DataView, at: number): number {
  return view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4);
}

function isPrintable(byte: number): boolean {
  return byte >= 0x20 && byte < 0x7f;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
