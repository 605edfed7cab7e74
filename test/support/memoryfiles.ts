// Memory as a list of ranges, put into files and taken out of them by hand: raw, ELF64 cores, LiME.
// It shares no code with the product, and checks nothing that a well-formed file has.
import { buildCore } from "./elf.ts";
import type { SeededRandom } from "./random.ts";

export interface Range {
  address: bigint;
  bytes: Uint8Array;
}

const LIME_MAGIC = 0x4c694d45;

/** Each byte at its address; what is between ranges is zero. */
export function rawFile(ranges: readonly Range[]): Buffer {
  const end = Math.max(0, ...ranges.map(({ address, bytes }) => Number(address) + bytes.length));
  const file = Buffer.alloc(end);
  for (const { address, bytes } of ranges) file.set(bytes, Number(address));
  return file;
}

export function limeFile(ranges: readonly Range[]): Buffer {
  return Buffer.concat(
    ranges.flatMap(({ address, bytes }) => {
      const header = Buffer.alloc(32);
      header.writeUInt32LE(LIME_MAGIC, 0);
      header.writeUInt32LE(1, 4);
      header.writeBigUInt64LE(address, 8);
      header.writeBigUInt64LE(address + BigInt(bytes.length) - 1n, 16);
      return [header, bytes];
    }),
  );
}

/** Where `space` is "physical", virtual addresses are others. */
export function coreFile(ranges: readonly Range[], space: "physical" | "virtual"): Buffer {
  let offset = 64 + 56 * ranges.length + 13;
  const headers = ranges.map(({ address, bytes }) => {
    offset += bytes.length;
    const place = { offset: offset - bytes.length, fileBytes: bytes.length };
    if (space === "virtual") return { ...place, address };
    return { ...place, address: address + 0xffff_8000_0000_0000n, physicalAddress: address };
  });
  const file = Buffer.from(buildCore({ byteLength: offset, headers }));
  headers.forEach((header, i) => {
    file.set(ranges[i].bytes, header.offset);
  });
  return file;
}

export function rangesOfLime(file: Buffer): Range[] {
  const ranges: Range[] = [];
  for (let at = 0; at < file.length; ) {
    const address = file.readBigUInt64LE(at + 8);
    const byteLength = Number(file.readBigUInt64LE(at + 16) - address) + 1;
    if (file.readUInt32LE(at) !== LIME_MAGIC) throw new Error(`no LiME header at byte ${at}`);
    ranges.push({ address, bytes: file.subarray(at + 32, at + 32 + byteLength) });
    at += 32 + byteLength;
  }
  return ranges;
}

/** The loads of a core, in their order. */
export function loadsOfCore(file: Buffer) {
  const count = file.readUInt16LE(56);
  const sectionAt = Number(file.readBigUInt64LE(40));
  const headers = count === 0xffff ? file.readUInt32LE(sectionAt + 44) : count;
  const loads = [];
  for (let at = 64; at < 64 + headers * 56; at += 56) {
    if (file.readUInt32LE(at) !== 1) continue;
    const [offset, virtual, physical, fileBytes] = [8, 16, 24, 32].map((field) =>
      file.readBigUInt64LE(at + field),
    );
    const bytes = file.subarray(Number(offset), Number(offset + fileBytes));
    loads.push({ offset, virtual, physical, bytes });
  }
  return loads;
}

/** A few ranges of pages and zeros below `end`, apart from one another or not. */
export function someMemory(random: SeededRandom, end: number): Range[] {
  const ranges: Range[] = [];
  for (let at = 0; at < end; ) {
    at += random.int(3) * 4096 * random.int(20);
    const pages = 1 + random.int(40);
    const bytes = Buffer.alloc(pages * 4096);
    for (let page = 0; page < pages; page++) {
      if (random.int(3) > 0) bytes.set(random.bytes(1 + random.int(4096)), page * 4096);
    }
    ranges.push({ address: BigInt(at), bytes });
    at += bytes.length;
  }
  return ranges;
}

/** Neighbours as one range. */
export function joined(ranges: readonly Range[]): Range[] {
  const whole: Range[] = [];
  for (const { address, bytes } of ranges) {
    const last = whole.at(-1);
    if (last && last.address + BigInt(last.bytes.length) === address) {
      last.bytes = Buffer.concat([last.bytes, bytes]);
    } else whole.push({ address, bytes });
  }
  return whole;
}
