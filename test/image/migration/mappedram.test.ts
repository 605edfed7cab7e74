// mapped-ram files, made up and mutated: their blocks are segments, the guest's memory has its
// addresses, and pages that do not count read as zeros.
import { describe, expect, it } from "vitest";
import type { ReadAt } from "../../../src/image/layout.ts";
import { readMapped, readMappedRam } from "../../../src/image/migration/mappedram.ts";
import { mappedRamFile } from "../../support/mappedram.ts";
import { randomSeed, seededRandom } from "../../support/random.ts";

const page = (byte: number) => new Uint8Array(4096).fill(byte);
const zero = page(0);

const readerOf =
  (bytes: Uint8Array): ReadAt =>
  async (byteOffset, into) => {
    const piece = bytes.subarray(byteOffset, byteOffset + into.length);
    into.set(piece);
    return piece.length;
  };

const BLOCKS = [
  {
    name: "pc.ram",
    pages: [page(1), undefined, page(3), page(4), undefined, ...Array(70).fill(zero)],
  },
  { name: "0000:00:02.0/vga.vram", pages: [page(9), undefined] },
  { name: "pc.bios", pages: [page(8)] },
];

describe("mapped-ram files", () => {
  it.each([
    {},
    { start: 70_092 },
    { hasPageSizes: true },
    { hasPageSizes: true, hasAddresses: true, start: 92 },
  ])("are cut at their blocks: %o", async (shape) => {
    const { bytes, offsets } = mappedRamFile(BLOCKS, shape);
    const layout = await readMappedRam(readerOf(bytes), bytes.length, shape.start);
    const segments = layout?.segments ?? [];
    for (const [index, { pages }] of BLOCKS.entries()) {
      const wanted = { byteOffset: offsets[index], byteLength: pages.length * 4096 };
      expect(segments).toContainEqual(wanted);
    }
    // Memory of devices has no place in that of the guest.
    expect(
      layout?.regions.map(({ segmentIndex, address }) => [segments[segmentIndex], address]),
    ).toEqual([[{ byteOffset: offsets[0], byteLength: 75 * 4096 }, 0n]]);
  });

  it("leave out memory that is shared with its file", async () => {
    const [ram, vram, bios] = BLOCKS;
    const { bytes, offsets } = mappedRamFile([{ ...ram, isShared: true }, vram, bios], {
      hasAddresses: true,
    });
    const layout = await readMappedRam(readerOf(bytes), bytes.length);
    expect(layout?.regions).toEqual([]);
    expect(layout?.segments).toContainEqual({ byteOffset: offsets[1], byteLength: 8192 });
  });

  it("split the memory of a PC where its hole is", async () => {
    // The pages are not there: a file that was cut is read as far as it goes.
    const pages = { length: 2 ** 20 } as unknown as Uint8Array[];
    const short = mappedRamFile([{ name: "pc.ram", pages: [page(1)] }], {
      machine: "pc-i440fx-9.0",
    });
    const bytes = short.bytes.slice();
    const view = new DataView(bytes.buffer);
    const length = Buffer.from(bytes).indexOf("pc.ram") + 6;
    view.setBigUint64(length, BigInt(pages.length * 4096));
    view.setBigUint64(length - 15, BigInt(pages.length * 4096 + 4));
    const { regions, segments } = (await readMappedRam(readerOf(bytes), 2 ** 33)) ?? {
      regions: [],
      segments: [],
    };
    expect(regions.map(({ address }) => address)).toEqual([0n, 2n ** 32n]);
    expect(segments[regions[1].segmentIndex].byteLength).toBe(2 ** 30);
  });

  it("read pages that do not count as zeros, from any place", async () => {
    const random = seededRandom(randomSeed("mappedram"));
    const { bytes, offsets } = mappedRamFile(BLOCKS);
    const wanted = bytes.slice();
    for (const [index, { pages }] of BLOCKS.entries()) {
      for (const [at, content] of pages.entries()) {
        if (!content) wanted.fill(0, offsets[index] + at * 4096, offsets[index] + (at + 1) * 4096);
      }
    }
    const read = await readMapped(readerOf(bytes));
    for (let round = 0; round < 300; round++) {
      const at = random.int(bytes.length);
      const into = new Uint8Array(random.int(random.int(2) ? 100_000 : 2000));
      const there = await read(at, into);
      expect(there).toBe(Math.min(into.length, bytes.length - at));
      expect(Buffer.compare(into.subarray(0, there), wanted.subarray(at, at + there))).toBe(0);
    }
  });

  it("are one piece, or a partition, when they are mutated", async () => {
    const random = seededRandom(randomSeed("mappedram fuzz"));
    const { bytes: good } = mappedRamFile(BLOCKS.slice(0, 1), { hasPageSizes: true });
    const rounds = Number(process.env.PAGEFOLD_FUZZ_ROUNDS ?? 3000);
    const bytes = good.slice();
    for (let round = 0; round < rounds; round++) {
      for (let changes = 1 + random.int(4); changes > 0; changes--) {
        const at = random.int(140);
        if (random.int(2)) bytes[at] = random.int(256);
        else bytes.fill(random.int(2) ? 0xff : 0, at, at + 1 + random.int(8));
      }
      const layout = await readMappedRam(readerOf(bytes), bytes.length);
      let end = 0;
      for (const { byteOffset, byteLength } of layout?.segments ?? []) {
        expect(byteOffset).toBe(end);
        expect(byteLength).toBeGreaterThan(0);
        end += byteLength;
      }
      if (layout) expect(end).toBe(bytes.length);
      bytes.set(good.subarray(0, 160));
    }
  });
});
