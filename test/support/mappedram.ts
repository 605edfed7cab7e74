// mapped-ram files as QEMU writes them (docs/devel/migration/mapped-ram.rst), made up: blocks whose
// pages lie at a MiB, a bitmap of those that count, and stale bytes where it has none.
import { StreamMaker } from "./qemustream.ts";

const MIB = 1 << 20;
const PAGE_BYTES = 4096;

export interface MappedBlockInput {
  readonly name: string;
  /** Undefined: it does not count; what lies there is stale. */
  readonly pages: readonly (Uint8Array | undefined)[];
  /** Left where it is, with x-ignore-shared. */
  readonly isShared?: boolean;
}

export interface MappedRamShape {
  readonly machine?: string;
  /** Bytes in front of the stream, as `migrate file:…,offset=` leaves them. */
  readonly start?: number;
  readonly hasPageSizes?: boolean;
  readonly hasAddresses?: boolean;
}

/** The file, and where the pages of each block begin. */
export function mappedRamFile(blocks: readonly MappedBlockInput[], shape: MappedRamShape = {}) {
  const { machine = "pc-q35-10.0", start = 0 } = shape;
  const maker = new StreamMaker().raw(new Uint8Array(start).fill(0x11));
  const total = blocks.reduce((sum, { pages }) => sum + pages.length * PAGE_BYTES, 0);
  maker
    .magic()
    .configuration(machine, ["mapped-ram"])
    .startSection("ram")
    .be64(total + 4);
  const offsets: number[] = [];
  for (const { name, pages, isShared } of blocks) {
    maker.name(name).be64(pages.length * PAGE_BYTES);
    if (shape.hasPageSizes) maker.be64(2 ** 21);
    if (shape.hasAddresses) maker.be64(0);
    const bitmapOffset = maker.out.length + 28;
    const bitmap = new Uint8Array(Math.ceil(pages.length / 64) * 8);
    const pagesOffset = Math.ceil((bitmapOffset + bitmap.length) / MIB) * MIB;
    maker.be32(1).be64(PAGE_BYTES);
    if (isShared) {
      maker.be64(0).be64(0);
      offsets.push(0);
      continue;
    }
    maker.be64(bitmapOffset).be64(pagesOffset);
    for (const [page, content] of pages.entries()) {
      if (content) bitmap[page >> 3] |= 1 << (page & 7);
    }
    maker.raw(bitmap).raw(new Uint8Array(pagesOffset - bitmapOffset - bitmap.length));
    for (const content of pages) maker.raw(content ?? new Uint8Array(PAGE_BYTES).fill(0xdd));
    offsets.push(pagesOffset);
  }
  maker.endOfPart().footer().part(3).endOfPart().footer();
  maker.u8(4).be32(9).name("timer").be32(0).be32(2).raw(new Uint8Array(24)).footer(9).u8(0);
  return { bytes: maker.description().made().bytes, offsets };
}
