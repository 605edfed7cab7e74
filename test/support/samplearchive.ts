// A small archive that holds every kind of record: two images and a third one, deltas with one to
// three references, duplicates inside and across, several leaves and batches of places.
import type { RandomAccess } from "../../src/api.ts";
import { ArchiveBuilder, copyOp, type FrameSpec, insertOp } from "./archivebuilder.ts";
import { seededRandom } from "./random.ts";

export interface Sample {
  bytes: Buffer;
  builder: ArchiveBuilder;
  /** What the images must read as, frame by frame. */
  images: { name: string; byteLength: number; pages: Buffer }[];
}

const random = seededRandom(11);
/** A page of its own. */
export const freshPage = (): Uint8Array => random.bytes(4096);
export const stored = (page = freshPage()): FrameSpec => ({ kind: "stored", page });

export async function sampleBuilder(): Promise<ArchiveBuilder> {
  const builder = await ArchiveBuilder.create();
  const a = builder.beginImage("vm0.raw", { notes: [["role", "db"]] });
  const pages = Array.from({ length: 9 }, freshPage);
  const slots = builder.addPages(a, 0, [
    { kind: "zero" },
    ...pages.slice(0, 6).map(stored),
    { kind: "zero" },
    { kind: "uniform", word: 0x0123_4567_89ab_cdefn },
  ]);
  const [first, second, third] = slots.slice(1) as { cluster: number; item: number }[];
  const mixed = Buffer.concat([
    pages[0].subarray(100, 1100),
    pages[8].subarray(0, 96),
    pages[1].subarray(0, 2000),
    pages[2].subarray(3096),
  ]);
  builder.addPages(a, 9, [
    stored(pages[6]),
    {
      kind: "delta",
      page: mixed,
      references: [first, second, third],
      ops: Buffer.concat([
        copyOp(0, 100, 0, 1000),
        insertOp(pages[8].subarray(0, 96)),
        copyOp(1, 0, 1096, 2000),
        copyOp(2, 3096, 3096, 1000),
      ]),
    },
    {
      kind: "delta",
      page: Buffer.concat([Buffer.alloc(6, 7), pages[1].subarray(6)]),
      references: [second],
      ops: Buffer.concat([insertOp(Buffer.alloc(6, 7)), copyOp(0, 6, 6, 4090)]),
    },
  ]);
  const b = builder.beginImage("sub/vm1.elf", {
    format: "elf-core",
    byteLength: 100 + 8192 + 4097,
    segmentBytes: [100, 8192, 4097],
  });
  const head = Buffer.alloc(4096);
  head.fill("header", 0, 100);
  const last = Buffer.alloc(4096);
  last[0] = 0xee;
  builder.addPages(b, 0, [stored(head), { kind: "duplicate", page: pages[2], slot: third }]);
  builder.addPages(b, 2, [{ kind: "duplicate", page: pages[3], slot: slots[4] as typeof first }]);
  builder.addPages(b, 3, [stored(pages[7]), stored(last)]);
  builder.endImage(a);
  builder.endImage(b);
  const c = builder.beginImage("empty");
  builder.endImage(c);
  return builder;
}

export function describeSample(builder: ArchiveBuilder, bytes: Buffer): Sample {
  const images = builder.images.map(({ head, pages }) => {
    const segments = head.segmentBytes.reduce((sum, length) => sum + length, 0);
    const byteLength = head.byteLength ?? (segments || pages.length * 4096);
    return { name: head.name, byteLength, pages: Buffer.concat(pages) };
  });
  return { bytes, builder, images };
}

/** Generation 0 is what a pipe gives. */
export async function sampleArchive(generation: number): Promise<Sample> {
  const builder = await sampleBuilder();
  return describeSample(builder, builder.finish(generation, { leafFrames: 5, placesClusters: 3 }));
}

/** Bytes as something with positioned reads that counts them. */
export function accessTo(bytes: Uint8Array) {
  const reads: number[] = [];
  const access: RandomAccess & { reads: number[] } = {
    size: bytes.length,
    reads,
    async read(offset, into) {
      const part = bytes.subarray(offset, offset + into.length);
      into.set(part);
      reads.push(part.length);
      return part.length;
    },
  };
  return access;
}
