// ELF64 little-endian core files: read as segments, written as the head before the memory. Reading
// trusts no header: whatever the bytes say, the segments are a partition of the file. What stands
// in the notes is the business of corenotes.ts.
//
//   ELF header 64 | program header 56 × n | section header 64, if n ≥ 0xffff | notes | memory
//
//   ELF header      +0 7f 'E' 'L' 'F' | +4 class u8 | +5 byte order u8 | +6 version u8
//                   +16 type u16 | +18 machine u16 | +20 version u32 | +32 phoff u64
//                   +40 shoff u64 | +52 ehsize u16 | +54 phentsize u16 | +56 phnum u16
//                   +58 shentsize u16 | +60 shnum u16
//   program header  +0 type u32 | +4 flags u32 | +8 offset u64 | +16 vaddr u64 | +24 paddr u64
//                   +32 filesz u64 | +40 memsz u64 | +48 align u64
//   section header  +32 size u64 | +44 info u32 (the true n, when phnum is 0xffff)

import { PAGE_BYTES } from "../core/page.ts";
import {
  type MemoryLayout,
  type MemoryRange,
  partition,
  type ReadAt,
  unstructured,
} from "./layout.ts";

const ELF_MAGIC = 0x464c457f;
const CLASS_64 = 2;
const LITTLE_ENDIAN = 1;
const ET_CORE = 4;
const PT_LOAD = 1;
const PT_NOTE = 4;
/** In `phnum`: the count did not fit, see section header 0. */
const PN_XNUM = 0xffff;
/** Of the ELF header, by which a core is known. */
export const ELF_HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
const SECTION_HEADER_BYTES = 64;

/** More program headers than any kernel writes by default (65 530); a file with more is raw. */
const MAX_PROGRAM_HEADERS = 1 << 20;
/** Program headers are read this many at a time, so that a claimed count allocates nothing. */
const HEADERS_PER_READ = 1024;

/** The layout of an ELF64 little-endian core; undefined when the file is something else. */
export async function readElfCore(
  read: ReadAt,
  byteLength: number,
): Promise<MemoryLayout | undefined> {
  const core = await readCoreRanges(read, byteLength);
  return core && (core.ranges ? partition(core.ranges, byteLength) : unstructured(byteLength));
}

/** A range of memory in a core; `address` is the virtual one. */
export interface CoreRange extends MemoryRange {
  readonly physicalAddress: bigint;
}

/**
 * The ranges of an ELF64 little-endian core, as its program headers have them; undefined when there
 * are too many. Undefined instead of all when the file is something else.
 */
export async function readCoreRanges(
  read: ReadAt,
  byteLength: number,
): Promise<{ machine: number; ranges: CoreRange[] | undefined } | undefined> {
  const head = new DataView(new ArrayBuffer(ELF_HEADER_BYTES));
  if ((await read(0, new Uint8Array(head.buffer))) < ELF_HEADER_BYTES || !isElfCore(head))
    return undefined;
  const machine = head.getUint16(18, true);
  const count = await programHeaderCount(read, head);
  if (count > MAX_PROGRAM_HEADERS) return { machine, ranges: undefined };
  const tableOffset = Number(head.getBigUint64(32, true));
  return { machine, ranges: await loadRanges(read, tableOffset, count, byteLength) };
}

/** True if the first ELF_HEADER_BYTES of a file are those of an ELF64 core. */
export function isElfCore(head: DataView): boolean {
  return (
    head.getUint32(0, true) === ELF_MAGIC &&
    head.getUint8(4) === CLASS_64 &&
    head.getUint8(5) === LITTLE_ENDIAN &&
    head.getUint16(16, true) === ET_CORE &&
    head.getUint16(54, true) === PROGRAM_HEADER_BYTES
  );
}

async function programHeaderCount(read: ReadAt, head: DataView): Promise<number> {
  const count = head.getUint16(56, true);
  const sectionOffset = Number(head.getBigUint64(40, true));
  if (count !== PN_XNUM || sectionOffset === 0) return count;
  const section = new DataView(new ArrayBuffer(SECTION_HEADER_BYTES));
  const there = await readInside(read, sectionOffset, new Uint8Array(section.buffer));
  return there < SECTION_HEADER_BYTES ? 0 : section.getUint32(44, true);
}

/** Offsets that headers claim may lie beyond what a file position can be. */
async function readInside(read: ReadAt, byteOffset: number, into: Uint8Array): Promise<number> {
  return Number.isSafeInteger(byteOffset) ? read(byteOffset, into) : 0;
}

async function loadRanges(
  read: ReadAt,
  tableOffset: number,
  count: number,
  byteLength: number,
): Promise<CoreRange[]> {
  const ranges: CoreRange[] = [];
  const piece = new Uint8Array(HEADERS_PER_READ * PROGRAM_HEADER_BYTES);
  const view = new DataView(piece.buffer);
  for (let first = 0; first < count; first += HEADERS_PER_READ) {
    const wanted = Math.min(HEADERS_PER_READ, count - first) * PROGRAM_HEADER_BYTES;
    const offset = tableOffset + first * PROGRAM_HEADER_BYTES;
    const there = await readInside(read, offset, piece.subarray(0, wanted));
    for (let at = 0; at + PROGRAM_HEADER_BYTES <= there; at += PROGRAM_HEADER_BYTES) {
      if (view.getUint32(at, true) !== PT_LOAD) continue;
      // Beyond 2^53 a Number is not exact, but it stays beyond the end of the file.
      const start = Number(view.getBigUint64(at + 8, true));
      const end = Math.min(start + Number(view.getBigUint64(at + 32, true)), byteLength);
      if (start >= end) continue;
      const [address, physicalAddress] = [at + 16, at + 24].map((i) => view.getBigUint64(i, true));
      ranges.push({ start, end, address, physicalAddress });
    }
    if (there < wanted) break;
  }
  return ranges;
}

/** One range of captured memory, as a core describes it. */
export interface CoreLoad {
  /** Virtual. */
  readonly address: bigint;
  /** Default: 0, for memory that is known by its virtual address alone. */
  readonly physicalAddress?: bigint;
  /** Bytes of address space. */
  readonly memoryBytes: number;
  /** As in /proc/PID/maps: "r-xp". */
  readonly permissions: string;
  readonly byteOffset: number;
  /** Bytes that are in the file; the rest of the range is not known. */
  readonly byteLength: number;
}

/** The first byte after the head: page-aligned, so that pages of memory are blocks of the file. */
export function coreHeadBytes(noteBytes: number, loadCount: number): number {
  return Math.ceil((notesOffset(loadCount) + noteBytes) / PAGE_BYTES) * PAGE_BYTES;
}

function notesOffset(loadCount: number): number {
  const table = ELF_HEADER_BYTES + (loadCount + 1) * PROGRAM_HEADER_BYTES;
  return loadCount + 1 < PN_XNUM ? table : table + SECTION_HEADER_BYTES;
}

/** Everything before the memory: `coreHeadBytes(notes.length, loads.length)` bytes. */
export function encodeCoreHead(machine: number, notes: Uint8Array, loads: CoreLoad[]): Uint8Array {
  const head = new Uint8Array(coreHeadBytes(notes.length, loads.length));
  const view = new DataView(head.buffer);
  const count = loads.length + 1;
  view.setUint32(0, ELF_MAGIC, true);
  head.set([CLASS_64, LITTLE_ENDIAN, 1], 4);
  view.setUint16(16, ET_CORE, true);
  view.setUint16(18, machine, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(32, BigInt(ELF_HEADER_BYTES), true);
  view.setUint16(52, ELF_HEADER_BYTES, true);
  view.setUint16(54, PROGRAM_HEADER_BYTES, true);
  view.setUint16(56, Math.min(count, PN_XNUM), true);
  if (count >= PN_XNUM) {
    const section = ELF_HEADER_BYTES + count * PROGRAM_HEADER_BYTES;
    view.setBigUint64(40, BigInt(section), true);
    view.setUint16(58, SECTION_HEADER_BYTES, true);
    view.setUint16(60, 1, true);
    view.setBigUint64(section + 32, 1n, true);
    view.setUint32(section + 44, count, true);
  }
  const notesAt = notesOffset(loads.length);
  head.set(notes, notesAt);
  setProgramHeader(view, 0, PT_NOTE, 0, [notesAt, 0n, 0n, notes.length, 0, 4]);
  loads.forEach((load, i) => {
    const { byteOffset, address, physicalAddress = 0n, byteLength, memoryBytes } = load;
    const place: Place = [
      byteOffset,
      address,
      physicalAddress,
      byteLength,
      memoryBytes,
      PAGE_BYTES,
    ];
    setProgramHeader(view, i + 1, PT_LOAD, flagsOf(load.permissions), place);
  });
  return head;
}

/** offset, vaddr, paddr, filesz, memsz, align */
type Place = [number, bigint, bigint, number, number, number];

function setProgramHeader(
  view: DataView,
  index: number,
  type: number,
  flags: number,
  [offset, address, physicalAddress, fileBytes, memoryBytes, align]: Place,
): void {
  const at = ELF_HEADER_BYTES + index * PROGRAM_HEADER_BYTES;
  view.setUint32(at, type, true);
  view.setUint32(at + 4, flags, true);
  view.setBigUint64(at + 8, BigInt(offset), true);
  view.setBigUint64(at + 16, address, true);
  view.setBigUint64(at + 24, physicalAddress, true);
  view.setBigUint64(at + 32, BigInt(fileBytes), true);
  view.setBigUint64(at + 40, BigInt(memoryBytes), true);
  view.setBigUint64(at + 48, BigInt(align), true);
}

function flagsOf(permissions: string): number {
  return (
    (permissions[0] === "r" ? 4 : 0) |
    (permissions[1] === "w" ? 2 : 0) |
    (permissions[2] === "x" ? 1 : 0)
  );
}
