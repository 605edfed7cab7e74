// Where the RAM blocks of a QEMU lie in the guest-physical address space. A migration stream does
// not say; it is derived from the machine type and the sizes, as QEMU's boards do it. Options that
// move memory (max-ram-below-4g, AMD guests of 1 TiB) leave no trace in it and are not known here.

/** A block of RAM as a stream lists it. */
export interface ListedBlock {
  readonly name: string;
  readonly byteLength: number;
}

/** Pages of a block, from one place on. */
export interface PlacedBlock {
  /** Undefined: guest-physical memory; else an address space of its own, by its name. */
  readonly block: string | undefined;
  readonly byteLength: number;
  /** Of its first byte. */
  readonly address: number;
  /** The offset from which on it lies at `highAddress`; Infinity if it is in one piece. */
  readonly splitOffset: number;
  readonly highAddress: number;
}

const GIB = 2 ** 30;
const FOUR_GIB = 4 * GIB;
/** hw/i386/pc_piix.c: what fits below 3.5 GiB is in one piece, else 3 GiB lie below 4 GiB. */
const I440FX = { fits: 3.5 * GIB, low: 3 * GIB };
/** hw/i386/pc_q35.c: 2.75 GiB and 2 GiB. */
const Q35 = { fits: 2.75 * GIB, low: 2 * GIB };
/** hw/i386/microvm.c. */
const MICROVM = { fits: 3 * GIB, low: 3 * GIB };
/** hw/arm/virt.c; machine types of other architectures are named otherwise. */
const ARM_VIRT_BASE = GIB;

const WHOLE = { splitOffset: Infinity, highAddress: 0 };

/** RAM of NUMA nodes, one behind another. */
const NODE = /^(?:\/objects\/)?ram-node(\d+)$/;
/** Memory of devices has the device or the file in its name. */
const NO_MEMORY = /[/.](?!ram$)/;

/** Where each block lies, by name; those that are not main memory are spaces of their own. */
export function placeBlocks(
  machine: string,
  blocks: readonly ListedBlock[],
): Map<string, PlacedBlock> {
  const placed = new Map<string, PlacedBlock>();
  for (const { name, byteLength } of blocks) {
    placed.set(name, { block: name, byteLength, address: 0, ...WHOLE });
  }
  const main = mainMemory(blocks);
  const total = main.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const low = lowBytes(machine, total);
  const base = /^virt-\d/.test(machine) ? ARM_VIRT_BASE : 0;
  let start = 0;
  for (const { name, byteLength } of main) {
    const isHigh = start >= low;
    placed.set(name, {
      block: undefined,
      byteLength,
      address: isHigh ? FOUR_GIB + start - low : base + start,
      splitOffset: isHigh || start + byteLength <= low ? Infinity : low - start,
      highAddress: FOUR_GIB,
    });
    start += byteLength;
  }
  return placed;
}

/** The address of a byte of a block. */
export function addressOf(placed: PlacedBlock, offset: number): number {
  const { address, splitOffset, highAddress } = placed;
  return offset < splitOffset ? address + offset : highAddress + offset - splitOffset;
}

/** The nodes in their order, or else the largest block that is no device's. */
function mainMemory(blocks: readonly ListedBlock[]): ListedBlock[] {
  const nodeOf = ({ name }: ListedBlock) => Number(NODE.exec(name)?.[1] ?? -1);
  const nodes = blocks.filter((block) => nodeOf(block) >= 0);
  if (nodes.length > 0) return nodes.toSorted((a, b) => nodeOf(a) - nodeOf(b));
  let largest: ListedBlock | undefined;
  for (const block of blocks) {
    if (NO_MEMORY.test(block.name.replace(/^\/objects\//, ""))) continue;
    if (block.byteLength > (largest?.byteLength ?? 0)) largest = block;
  }
  return largest ? [largest] : [];
}

/** How much of the memory lies below 4 GiB; Infinity if nothing splits it there. */
function lowBytes(machine: string, byteLength: number): number {
  const board = boardOf(machine);
  if (board === undefined || byteLength < board.fits) return Infinity;
  return board.low;
}

function boardOf(machine: string) {
  if (machine.startsWith("pc-q35")) return Q35;
  if (machine.startsWith("microvm")) return MICROVM;
  return machine.startsWith("pc-") ? I440FX : undefined;
}
