// Memory out of the file that it was captured into: which ranges of an address space there are, and
// where their bytes lie. For formats that hold memory as it was; pages that have first to be taken
// out of what they are wrapped in go through memoryspool.ts.
import { PagefoldError } from "../../core/errors.ts";
import { type CoreRange, readCoreRanges } from "../elfcore.ts";
import type { MemoryLayout, MemoryRange, ReadAt } from "../layout.ts";
import { readLimeRanges } from "../lime.ts";

/** Headers may name the same bytes for two places, as of the text of a kernel, but not for all. */
const MAX_TIMES_FILE = 2;
const KERNEL_HALF = 2n ** 63n;
/** Beyond the last address there is. */
const ADDRESS_SPACE_END = 2n ** 64n;

/** Memory in an address space, each byte at most once. */
export interface MemoryView {
  readonly space: "physical" | "virtual";
  /** As the `e_machine` of an ELF header; undefined when the image does not tell. */
  readonly machine: number | undefined;
  /** ELF notes that came with it. */
  readonly notes: Uint8Array;
  /** By address, neighbours joined or not; their places are those that `read` takes. */
  ranges(): Iterable<MemoryRange>;
  readonly read: ReadAt;
}

/** A file that is memory from address 0 on. */
export function viewOfRaw(read: ReadAt, byteLength: number): MemoryView {
  const ranges = byteLength > 0 ? [{ start: 0, end: byteLength, address: 0n }] : [];
  return { ...PLAIN, space: "physical", ranges: () => ranges, read };
}

/** The regions of a file whose addresses are physical. */
export function viewOfLayout({ segments, regions }: MemoryLayout, read: ReadAt): MemoryView {
  const ranges = inAddressOrder(
    regions.map(({ segmentIndex, address }) => {
      const { byteOffset, byteLength } = segments[segmentIndex];
      return { start: byteOffset, end: byteOffset + byteLength, address };
    }),
  );
  return { ...PLAIN, space: "physical", ranges: () => ranges, read };
}

/** The ranges of a LiME file. */
export async function viewOfLime(
  read: ReadAt,
  byteLength: number,
  name: string,
): Promise<MemoryView> {
  const found = await readLimeRanges(read, byteLength);
  if (!found) throw new PagefoldError("FORMAT", `${name}: is no LiME file`);
  const ranges = inAddressOrder(found);
  return { ...PLAIN, space: "physical", ranges: () => ranges, read };
}

/** The loads of a core. */
export async function viewOfCore(
  read: ReadAt,
  byteLength: number,
  name: string,
): Promise<MemoryView> {
  const core = await readCoreRanges(read, byteLength);
  if (core?.ranges === undefined) {
    const fault = core ? "has more program headers than are read" : "is no ELF64 core";
    throw new PagefoldError("FORMAT", `${name}: ${fault}`);
  }
  const isPhysical = arePhysical(core.ranges);
  const ranges = inAddressOrder(
    core.ranges.map(({ start, end, address, physicalAddress }) => {
      return { start, end, address: isPhysical ? physicalAddress : address };
    }),
  );
  const memoryBytes = ranges.reduce((sum, { start, end }) => sum + end - start, 0);
  if (memoryBytes > MAX_TIMES_FILE * byteLength) {
    const fault = `its ${byteLength} bytes are said to be ${memoryBytes} bytes of memory`;
    throw new PagefoldError("LIMIT", `${name}: ${fault}`);
  }
  const space = isPhysical ? "physical" : "virtual";
  return { ...PLAIN, space, machine: core.machine, ranges: () => ranges, read };
}

const PLAIN = { machine: undefined, notes: new Uint8Array(0) };

/**
 * Cores of processes leave the physical addresses 0; those of machines have some that are not,
 * unless all memory is in one range: then it is mapped into the kernel's half, or nowhere.
 */
function arePhysical(ranges: readonly CoreRange[]): boolean {
  if (ranges.some(({ physicalAddress }) => physicalAddress !== 0n)) return true;
  return ranges.length === 1 && (ranges[0].address === 0n || ranges[0].address >= KERNEL_HALF);
}

/**
 * Ranges by their addresses. Where two hold the same memory (a kernel's dump has its text twice)
 * the one that begins first gives it.
 */
function inAddressOrder(ranges: readonly MemoryRange[]): MemoryRange[] {
  const ordered: (MemoryRange & { end: number })[] = [];
  let reached = 0n;
  for (const range of ranges.toSorted((a, b) => compare(a.address, b.address))) {
    const address = range.address < reached ? reached : range.address;
    const start = range.start + Number(address - range.address);
    let end = range.end;
    // What wraps around is no memory that a file could have.
    const room = ADDRESS_SPACE_END - address;
    if (BigInt(end - start) > room) end = start + Number(room);
    if (start >= end) continue;
    const last = ordered.at(-1);
    // Neighbours here and there are one: a process has its memory in many small pieces.
    if (last?.end === start && address === reached) last.end = end;
    else ordered.push({ start, end, address });
    reached = address + BigInt(end - start);
  }
  return ordered;
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
