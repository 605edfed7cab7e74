// Everything that is known of the pages one session has seen: fingerprints, sketches, and where
// content is stored. One scope is shared by all images of a session and by nobody else.
import type { Arena, Region } from "../core/arena.ts";
import { PLACE_BYTES, slabPart } from "../core/slab.ts";
import {
  type Kernels,
  SLOT_BASE,
  SLOT_DELTAS,
  SLOT_KNOWN,
  TABLE_ENTRY_BYTES,
} from "../kernels/abi.ts";

const SKETCH_PLACE_BYTES = 32;
const PLACE_OFFSET = 16;
const SLOT_OFFSET = 24;
const SLOT_NAMED = 0x1000_0000;

// Slot of an entry, two u32:
//    cluster number, then  bit 31 known · bit 30 deltas · bit 29 base · bits 0–7 item
//    or bit 28 alone: sent by name, and in no slot

/** Ordinal of content that no batch of this session brought. */
export const NO_ORDINAL = 2 ** 53 - 1;

/** Where the content of an entry is stored. */
export interface StoredSlot {
  readonly cluster: number;
  readonly item: number;
  readonly isDeltas: boolean;
  /** Content of the base image; `cluster` and `item` mean nothing. */
  readonly isBase: boolean;
}

/** How large a scope may become. */
export interface ScopeSize {
  /** Bytes it may take. */
  readonly memoryBytes: number;
  /** Pages that will be looked up at most, if known. */
  readonly pageCount: number | undefined;
  /** True if there is to be a table of sketches as well. */
  readonly hasSketches?: boolean | undefined;
}

export class Scope {
  readonly session: number;
  readonly tablePtr: number;
  /** 0 where no sketches were asked for. */
  readonly sketchPtr: number;
  readonly placesPtr: number;
  readonly placeCapacity: number;
  private readonly arena: Arena;
  private readonly kernels: Kernels;
  private readonly region: Region;

  constructor(arena: Arena, kernels: Kernels, size: ScopeSize) {
    this.arena = arena;
    this.kernels = kernels;
    this.session = arena.nextSession();
    const shape = shapeOf(size);
    const tableBytes = kernels.tableBytes(shape.bucketBits, shape.entries) >>> 0;
    const sketchBytes = size.hasSketches ? kernels.sketchBytes(shape.sketchBits) >>> 0 : 0;
    this.placeCapacity = shape.entries;
    this.region = arena.reserve(
      align(tableBytes) + align(sketchBytes) + this.placeCapacity * PLACE_BYTES,
      "fingerprints",
    );
    this.tablePtr = this.region.ptr;
    const tableEnd = this.tablePtr + align(tableBytes);
    this.sketchPtr = size.hasSketches ? tableEnd : 0;
    this.placesPtr = tableEnd + align(sketchBytes);
    kernels.tableInit(this.tablePtr, shape.bucketBits, shape.entries);
    if (size.hasSketches) kernels.sketchInit(this.sketchPtr, shape.sketchBits);
  }

  /**
   * Looks all ordinary pages of a surveyed slab up and inserts those that are new, with the places
   * in the slab: fills its entries and codes.
   */
  lookUp(slabPtr: number, pageCount: number): void {
    this.kernels.tableLookup(
      this.tablePtr,
      slabPart(slabPtr, "records"),
      slabPart(slabPtr, "fingerprints"),
      slabPart(slabPtr, "places"),
      pageCount,
      slabPart(slabPtr, "entries"),
      slabPart(slabPtr, "codes"),
    );
  }

  /** Entries that there are; later ones have higher numbers. */
  get entryCount(): number {
    return this.kernels.tableCount(this.tablePtr) >>> 0;
  }

  /** Ordinal (batch × 512 + page) of the page that brought the entry. */
  ordinalOf(entry: number): number {
    const at = this.fingerprintPtr(entry) + PLACE_OFFSET;
    const { view } = this.arena;
    return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
  }

  /** Undefined while its batch has not been emitted. */
  slotOf(entry: number): StoredSlot | undefined {
    const at = this.fingerprintPtr(entry) + SLOT_OFFSET;
    const { view } = this.arena;
    const state = view.getUint32(at + 4, true);
    if ((state & SLOT_KNOWN) === 0) return undefined;
    return {
      cluster: view.getUint32(at, true),
      item: state & 0xff,
      isDeltas: (state & SLOT_DELTAS) !== 0,
      isBase: (state & SLOT_BASE) !== 0,
    };
  }

  setSlot(entry: number, cluster: number, item: number, isDeltas: boolean): void {
    this.writeSlot(entry, cluster, SLOT_KNOWN | (isDeltas ? SLOT_DELTAS : 0) | item);
  }

  setBase(entry: number): void {
    this.writeSlot(entry, 0, SLOT_KNOWN | SLOT_BASE);
  }

  /** Notes that the page went by name, if it is not stored anyway. */
  setNamed(entry: number): void {
    if (!this.slotOf(entry)) this.writeSlot(entry, 0, SLOT_NAMED);
  }

  /** Notes that what went by name is stored after all: it has no slot until it is emitted. */
  setStored(entry: number): void {
    this.writeSlot(entry, 0, 0);
  }

  /** Whether it went by name and has not been stored since. */
  isNamed(entry: number): boolean {
    const at = this.fingerprintPtr(entry) + SLOT_OFFSET;
    return this.arena.view.getUint32(at + 4, true) === SLOT_NAMED;
  }

  /** Address of an entry, which begins with its fingerprint. */
  fingerprintPtr(entry: number): number {
    // Kernels return u32, which arrives signed.
    return this.kernels.tableEntry(this.tablePtr, entry) >>> 0;
  }

  /** Tells workers where a cluster can be read back; `fd` is IN_MEMORY for linear memory. */
  setPlace(cluster: number, byteOffset: number, byteLength: number, fd: number): void {
    if (cluster >= this.placeCapacity) return;
    const at = this.placesPtr + cluster * PLACE_BYTES;
    const { view } = this.arena;
    view.setFloat64(at, byteOffset, true);
    view.setUint32(at + 12, fd, true);
    view.setUint32(at + 8, byteLength, true);
  }

  close(): void {
    this.arena.release(this.region);
  }

  private writeSlot(entry: number, cluster: number, state: number): void {
    const at = this.fingerprintPtr(entry) + SLOT_OFFSET;
    this.arena.view.setUint32(at, cluster, true);
    this.arena.view.setUint32(at + 4, state >>> 0, true);
  }
}

function align(bytes: number): number {
  return Math.ceil(bytes / 4096) * 4096;
}

/** Buckets at 1–2 per entry; entries as the input needs, as far as memory goes. */
function shapeOf(size: ScopeSize): { bucketBits: number; entries: number; sketchBits: number } {
  // A bucket is 4 bytes and there are at most two for an entry; likewise places of sketches.
  const sketchBytes = size.hasSketches ? 2 * SKETCH_PLACE_BYTES : 0;
  const perEntry = TABLE_ENTRY_BYTES + 2 * 4 + sketchBytes + PLACE_BYTES;
  const affordable = Math.floor(size.memoryBytes / perEntry);
  const entries = Math.max(1024, Math.min(affordable, size.pageCount ?? affordable));
  const bits = Math.ceil(Math.log2(entries));
  return { bucketBits: bits, entries, sketchBits: Math.max(10, bits - 1) };
}
