// Parses /proc/PID/maps and /proc/PID/smaps: the mappings of an address space and which of them
// belong into a capture. It reads no files.
import { PagefoldError } from "../../core/errors.ts";

/** One line of maps, with what smaps adds to it. */
export interface Mapping {
  readonly start: bigint;
  readonly end: bigint;
  /** "r-xp": read, write, execute, and private or shared. */
  readonly permissions: string;
  readonly fileOffset: bigint;
  /** 0 for memory that no file stands behind. */
  readonly inode: bigint;
  /** The file, or a name such as [heap]; empty when there is none. */
  readonly name: string;
  /** Bytes in memory or in swap; undefined when the kernel does not tell. */
  residentBytes?: number;
  /** The two-letter codes of VmFlags; empty when the kernel does not tell. */
  flags: readonly string[];
}

const MAPPING_LINE =
  /^([0-9a-f]+)-([0-9a-f]+) ([r-][w-][x-][ps]) ([0-9a-f]+) [0-9a-f]+:[0-9a-f]+ (\d+) *(.*)$/;
const FIELD_LINE = /^([A-Za-z]\w*): *(.*)$/;

/** The mappings in `text`, by address. Lines of later kernels that it does not know are skipped. */
export function parseMaps(text: string): Mapping[] {
  const mappings: Mapping[] = [];
  let current: Mapping | undefined;
  for (const line of text.split("\n")) {
    const field = FIELD_LINE.exec(line);
    if (field !== null) {
      if (current !== undefined) setField(current, field[1], field[2]);
      continue;
    }
    if (line === "") continue;
    current = parseMapping(line);
    mappings.push(current);
  }
  return mappings;
}

function parseMapping(line: string): Mapping {
  const parts = MAPPING_LINE.exec(line);
  if (parts === null) {
    throw new PagefoldError("PROCESS", `a line of /proc/PID/maps is not understood: ${line}`);
  }
  const [, start, end, permissions, fileOffset, inode, name] = parts;
  return {
    start: BigInt(`0x${start}`),
    end: BigInt(`0x${end}`),
    permissions,
    fileOffset: BigInt(`0x${fileOffset}`),
    inode: BigInt(inode),
    // The kernel writes a line feed in a path as \012 and leaves all else as it is.
    name: name.replaceAll("\\012", "\n"),
    flags: [],
  };
}

function setField(mapping: Mapping, field: string, value: string): void {
  if (field === "VmFlags") mapping.flags = value.trim().split(/ +/);
  if (field !== "Rss" && field !== "Swap") return;
  mapping.residentBytes = (mapping.residentBytes ?? 0) + Number.parseInt(value, 10) * 1024;
}

export function mappingBytes(mapping: Mapping): number {
  return Number(mapping.end - mapping.start);
}

/** Why gcore leaves this mapping out, and so do we; undefined for all others. */
export function exclusionOf(mapping: Mapping): string | undefined {
  const { name, flags } = mapping;
  if (name.startsWith("[vvar") || name === "[vsyscall]") return "belongs to the kernel";
  // Reading device memory can have effects.
  if (flags.includes("io") || flags.includes("pf")) return "is device memory";
  if (flags.includes("dd")) return "its owner excludes it from dumps (MADV_DONTDUMP)";
  return undefined;
}

/**
 * Whether pages that were never touched are zero, so that they need not be read. The kernel's own
 * mappings, such as [vdso], have no file either, but content. Pages of a userfaultfd (flag "um")
 * are what its handler will answer.
 */
export function startsAsZeros(mapping: Mapping): boolean {
  const { inode, permissions, flags, name } = mapping;
  if (inode !== 0n || permissions[3] !== "p" || flags.includes("um")) return false;
  return name === "" || name === "[heap]" || name.startsWith("[stack") || name.startsWith("[anon:");
}

/**
 * Address space that is only reserved: nobody may access it and nothing is in it. Runtimes reserve
 * gigabytes to terabytes this way; a core describes it without content.
 */
export function isReservation(mapping: Mapping): boolean {
  return mapping.permissions.startsWith("---") && (mapping.residentBytes ?? 0) === 0;
}
