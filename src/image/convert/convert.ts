// Writes memory as a file of another format: raw, where the offset is the address; an ELF64 core,
// which keeps ranges apart and virtual memory virtual; LiME. Pages of zeros are holes of the file.
// What an ELF core or a LiME file cannot say is lost: see docs/inputs.md.
import { PagefoldError } from "../../core/errors.ts";
import { PAGE_BYTES } from "../../core/page.ts";
import { type CoreLoad, coreHeadBytes, encodeCoreHead } from "../elfcore.ts";
import { encodeLimeHeader, LIME_HEADER_BYTES } from "../lime.ts";
import type { ImageFormat } from "../opened.ts";
import type { SparseFile } from "../sparsefile.ts";
import type { MemoryView } from "./memory.ts";

/** What memory can be written as. */
export type MemoryFormat = "raw" | "elf" | "lime";

/** What such a file is called when it is an image. */
const FORMATS: Record<MemoryFormat, ImageFormat> = { raw: "raw", elf: "elf-core", lime: "lime" };

/** What common file systems allow. */
const MAX_RAW_BYTES = 2 ** 44;
/** As many as are read again. */
const MAX_RANGES = { elf: (1 << 20) - 1, lime: 1 << 18 };
/** Of memory whose image does not say it: x86-64. */
const DEFAULT_MACHINE = 62;
const PIECE_BYTES = 1 << 20;

/** The format of an image that was written as `as`. */
export function imageFormat(as: MemoryFormat): ImageFormat {
  return FORMATS[as];
}

/** A run of memory, and where its bytes go in the file. */
interface PlacedRange {
  readonly address: bigint;
  byteLength: number;
  byteOffset: number;
}

type Write = (byteOffset: number, bytes: Uint8Array) => Promise<void>;

/** Fills `file`; returns the length that it has to have. `name` is for messages. */
export async function writeMemory(
  view: MemoryView,
  as: MemoryFormat,
  file: Pick<SparseFile, "write">,
  { name, signal }: { name: string; signal?: AbortSignal | undefined },
): Promise<number> {
  const write: Write = (byteOffset, bytes) => file.write(byteOffset, bytes);
  if (as === "raw") {
    const byteLength = rawBytes(view, name);
    await copyMemory(view, (address) => Number(address), write, signal);
    return byteLength;
  }
  const ranges = joinedRanges(view, MAX_RANGES[as], name);
  if (as === "elf") await writeCoreHead(view, ranges, write);
  else await writeLimeHeaders(ranges, write);
  let at = 0;
  const placeOf = (address: bigint): number => {
    while (address >= ranges[at].address + BigInt(ranges[at].byteLength)) at++;
    return ranges[at].byteOffset + Number(address - ranges[at].address);
  };
  await copyMemory(view, placeOf, write, signal);
  const last = ranges.at(-1);
  if (last) return last.byteOffset + last.byteLength;
  return as === "elf" ? coreHeadBytes(view.notes.length, 0) : 0;
}

/** Up to the end of the last range. */
function rawBytes(view: MemoryView, name: string): number {
  let end = 0n;
  for (const range of view.ranges()) end = range.address + BigInt(range.end - range.start);
  if (end <= MAX_RAW_BYTES) return Number(end);
  const fault = `its memory reaches up to address 0x${(end - 1n).toString(16)}`;
  const advice = "elf and lime have no gaps";
  const limit = `and a raw file has at most ${MAX_RAW_BYTES} bytes`;
  throw new PagefoldError("LIMIT", `${name}: ${fault}, ${limit}; ${advice}`);
}

/** Neighbours are one range. */
function joinedRanges(view: MemoryView, maxRanges: number, name: string): PlacedRange[] {
  const joined: PlacedRange[] = [];
  let end = -1n;
  for (const { start, end: stop, address } of view.ranges()) {
    const byteLength = stop - start;
    if (address === end) (joined.at(-1) as PlacedRange).byteLength += byteLength;
    else if (joined.length < maxRanges) joined.push({ address, byteLength, byteOffset: 0 });
    else {
      const fault = `its memory is in more than ${maxRanges} ranges`;
      throw new PagefoldError("LIMIT", `${name}: ${fault}; a raw file has none`);
    }
    end = address + BigInt(byteLength);
  }
  return joined;
}

async function writeCoreHead(view: MemoryView, ranges: PlacedRange[], write: Write): Promise<void> {
  let byteOffset = coreHeadBytes(view.notes.length, ranges.length);
  const loads = ranges.map((range): CoreLoad => {
    const { address, byteLength } = range;
    // Who maps the file finds each page of the memory in a page of the file.
    byteOffset += Number(BigInt.asUintN(64, address - BigInt(byteOffset)) % BigInt(PAGE_BYTES));
    range.byteOffset = byteOffset;
    byteOffset += byteLength;
    const physicalAddress = view.space === "physical" ? address : 0n;
    const permissions = "rwx";
    const place = { byteOffset: range.byteOffset, byteLength, memoryBytes: byteLength };
    return { address, physicalAddress, permissions, ...place };
  });
  await write(0, encodeCoreHead(view.machine ?? DEFAULT_MACHINE, view.notes, loads));
}

async function writeLimeHeaders(ranges: PlacedRange[], write: Write): Promise<void> {
  let byteOffset = 0;
  for (const range of ranges) {
    await write(byteOffset, encodeLimeHeader(range.address, range.byteLength));
    range.byteOffset = byteOffset + LIME_HEADER_BYTES;
    byteOffset = range.byteOffset + range.byteLength;
  }
}

async function copyMemory(
  view: MemoryView,
  placeOf: (address: bigint) => number,
  write: Write,
  signal: AbortSignal | undefined,
): Promise<void> {
  const buffer = new Uint8Array(PIECE_BYTES);
  for (const { start, end, address } of view.ranges()) {
    const place = placeOf(address);
    for (let at = start; at < end; ) {
      signal?.throwIfAborted();
      const piece = buffer.subarray(0, Math.min(PIECE_BYTES, end - at));
      const there = await view.read(at, piece);
      if (there === 0) throw new Error(`memory ends at byte ${at}`);
      await write(place + at - start, piece.subarray(0, there));
      at += there;
    }
  }
}
