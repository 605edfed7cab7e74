// The formats of images, each asked by the first bytes of a file, never by its name. To add one,
// add it to the table; what its bytes mean is told in a file of its own.
import { ELF_HEADER_BYTES, isElfCore, readCoreRanges, readElfCore } from "./elfcore.ts";
import { isKdump, openKdump } from "./kdump/kdump.ts";
import type { MemoryLayout, MemoryRange, ReadAt } from "./layout.ts";
import { isLime, LIME_HEADER_BYTES, readLime, readLimeRanges } from "./lime.ts";
import {
  isLibvirtSave,
  isSparseSave,
  readSparseMapped,
  readSparseSave,
  saveParts,
} from "./migration/libvirtsave.ts";
import { readMapped, readMappedRam } from "./migration/mappedram.ts";
import { migrationParts } from "./migration/migrationfile.ts";
import { isMappedRam, isMigration } from "./migration/migrationhead.ts";
import type { ByteObserver, ImageFormat } from "./opened.ts";
import { recompress } from "./recompress.ts";
import type { Part, TakenApart } from "./woven.ts";

/** Bytes of the beginning that `isIt` is given; fewer only if there are no more. */
export const HEAD_BYTES = 4096;

export interface ReadOptions {
  /** What the bytes are called in messages. */
  readonly name: string;
  readonly signal?: AbortSignal | undefined;
}

interface Known {
  readonly format: ImageFormat;
  isIt(head: Uint8Array): boolean;
}

/** Memory lies whole in the file: it has segments. */
export interface PlacedFormat extends Known {
  readonly kind: "placed";
  /** Undefined: on a closer look it is something else. */
  layout(read: ReadAt, byteLength: number): Promise<MemoryLayout | undefined>;
  /**
   * Where the format is described in the order of the file: its ranges, read forwards (but for the
   * first MiB). They may go beyond the end of the file, which nobody knows yet.
   */
  ranges?(read: ReadAt): Promise<readonly MemoryRange[] | undefined>;
  /** Reads the file as its memory is, where that is not what stands in it. */
  memory?(read: ReadAt): Promise<ReadAt>;
}

/** The file is taken apart as it comes. */
export interface StreamFormat extends Known {
  readonly kind: "stream";
  /** `observer` is told of all bytes, in order. */
  parts(
    bytes: AsyncIterable<Uint8Array>,
    options: ReadOptions & { observer?: ByteObserver | undefined },
  ): AsyncIterable<Part>;
}

/** The file is taken apart, and has to be read in any order for that. */
export interface DumpFormat extends Known {
  readonly kind: "dump";
  /** Undefined: on a closer look it is something else. */
  open(read: ReadAt, byteLength: number, options: ReadOptions): Promise<TakenApart | undefined>;
}

export type Format = PlacedFormat | StreamFormat | DumpFormat;

/** In the order in which they are asked. What none of them is, is raw memory. */
const FORMATS: readonly Format[] = [
  {
    kind: "placed",
    format: "elf-core",
    isIt: begins(ELF_HEADER_BYTES, isElfCore),
    layout: readElfCore,
    async ranges(read) {
      const core = await readCoreRanges(read, Infinity);
      return core && (core.ranges ?? []);
    },
  },
  {
    kind: "placed",
    format: "lime",
    isIt: begins(LIME_HEADER_BYTES, isLime),
    layout: readLime,
    ranges: (read) => readLimeRanges(read, Infinity),
  },
  {
    kind: "dump",
    format: "kdump",
    isIt: isKdump,
    open: (read, byteLength, { name }) => openKdump(read, byteLength, { name, recompress }),
  },
  {
    kind: "placed",
    format: "qemu-mapped-ram",
    isIt: isMappedRam,
    layout: (read, byteLength) => readMappedRam(read, byteLength),
    memory: (read) => readMapped(read),
  },
  {
    kind: "stream",
    format: "qemu-migration",
    isIt: isMigration,
    parts: migrationParts,
  },
  {
    kind: "placed",
    format: "libvirt-save",
    isIt: isSparseSave,
    layout: readSparseSave,
    memory: readSparseMapped,
  },
  {
    kind: "stream",
    format: "libvirt-save",
    isIt: isLibvirtSave,
    parts: saveParts,
  },
];

/** What a file is that begins with `head` (HEAD_BYTES of it); undefined: raw memory. */
export function formatOf(head: Uint8Array): Format | undefined {
  return FORMATS.find((format) => format.isIt(head));
}

/** Asks `isIt` of the first `byteLength` bytes, if there are as many. */
function begins(byteLength: number, isIt: (head: DataView) => boolean) {
  return ({ buffer, byteOffset, length }: Uint8Array): boolean =>
    length >= byteLength && isIt(new DataView(buffer, byteOffset, byteLength));
}
