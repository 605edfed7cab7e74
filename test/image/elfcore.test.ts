// ELF64 cores, built by hand and mutated: whatever a file claims, its segments partition it.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Segment } from "../../src/core/extent.ts";
import {
  type CoreLoad,
  coreHeadBytes,
  encodeCoreHead,
  readElfCore,
} from "../../src/image/elfcore.ts";
import type { ReadAt } from "../../src/image/layout.ts";
import { buildCore, type CoreShape } from "../support/elf.ts";

function readerOf(bytes: Uint8Array, log: number[] = []): ReadAt {
  return async (byteOffset, into) => {
    const piece = bytes.subarray(byteOffset, byteOffset + into.length);
    into.set(piece);
    log.push(piece.length);
    return piece.length;
  };
}

function layoutOf(bytes: Uint8Array) {
  return readElfCore(readerOf(bytes), bytes.length);
}

function expectPartition(segments: readonly Segment[], byteLength: number): void {
  let at = 0;
  for (const segment of segments) {
    if (segment.byteOffset !== at || segment.byteLength < 1) {
      expect.fail(`segment ${JSON.stringify(segment)} begins or ends badly at byte ${at}`);
    }
    at += segment.byteLength;
  }
  expect(at).toBe(byteLength);
}

/** Segments as [offset, length, address or undefined]. */
async function shown(shape: CoreShape) {
  const bytes = buildCore(shape);
  const layout = await layoutOf(bytes);
  if (layout === undefined) throw new Error("not recognised");
  expectPartition(layout.segments, bytes.length);
  return layout.segments.map(({ byteOffset, byteLength }, i) => {
    const region = layout.regions.find(({ segmentIndex }) => segmentIndex === i);
    return [byteOffset, byteLength, region?.address];
  });
}

describe("elfcore: segments", () => {
  test("begin at memory, also at an odd file offset; gaps are segments of their own", async () => {
    const headers = [
      { type: 4, offset: 200, fileBytes: 50 },
      { offset: 0x498, address: 0x1000, fileBytes: 8192 },
      { offset: 0x498 + 8192 + 8, address: 0x7000, fileBytes: 4096 },
    ];
    expect(await shown({ byteLength: 0x498 + 8192 + 8 + 4096 + 3, headers })).toEqual([
      [0, 0x498, undefined],
      [0x498, 8192, 0x1000n],
      [0x498 + 8192, 8, undefined],
      [0x498 + 8200, 4096, 0x7000n],
      [0x498 + 8200 + 4096, 3, undefined],
    ]);
  });

  test("a range that begins inside a page gives up a first piece", async () => {
    const headers = [{ offset: 4096, address: 0x1ff0, fileBytes: 10_000 }];
    expect(await shown({ byteLength: 4096 + 10_000, headers })).toEqual([
      [0, 4096, undefined],
      [4096, 16, 0x1ff0n],
      [4112, 9984, 0x2000n],
    ]);
  });

  test("a range inside one page stays whole", async () => {
    const headers = [{ offset: 4096, address: 0x1010, fileBytes: 100 }];
    expect((await shown({ byteLength: 5000, headers }))[1]).toEqual([4096, 100, 0x1010n]);
  });

  test("unordered, empty and overlapping ranges: the first byte decides", async () => {
    const headers = [
      { offset: 8192, address: 0x9000, fileBytes: 8192 },
      { offset: 4096, address: 0x5000, fileBytes: 8192 },
      { offset: 5000, address: 0x1000, fileBytes: 0 },
      { offset: 4100, address: 0x2000, fileBytes: 20 },
    ];
    expect(await shown({ byteLength: 16_384, headers })).toEqual([
      [0, 4096, undefined],
      [4096, 8192, 0x5000n],
      [12_288, 4096, 0xa000n],
    ]);
  });

  test("a truncated core keeps what is there", async () => {
    const headers = [
      { offset: 4096, address: 0x5000, fileBytes: 1 << 30 },
      { offset: 1n << 40n, address: 0, fileBytes: 4096 },
      { offset: 2n ** 64n - 1n, address: 0, fileBytes: 2n ** 64n - 1n },
    ];
    expect(await shown({ byteLength: 8000, headers })).toEqual([
      [0, 4096, undefined],
      [4096, 3904, 0x5000n],
    ]);
  });

  test("addresses may wrap around", async () => {
    const headers = [{ offset: 4096, address: 2n ** 64n - 16n, fileBytes: 8192 }];
    expect((await shown({ byteLength: 4096 + 8192, headers })).slice(1)).toEqual([
      [4096, 16, 2n ** 64n - 16n],
      [4112, 8176, 0n],
    ]);
  });

  test("a program header table that is cut off or elsewhere leaves one segment", async () => {
    const headers = [{ offset: 64, address: 0, fileBytes: 36 }];
    expect(await shown({ byteLength: 100, headers })).toEqual([[0, 100, undefined]]);
    const far = { byteLength: 9000, headers, tableOffset: 2n ** 63n };
    expect(await shown(far)).toEqual([[0, 9000, undefined]]);
  });
});

describe("elfcore: what is none", () => {
  const good = buildCore({ byteLength: 9000, headers: [] });
  const changes: [string, number, number][] = [
    ["another magic", 3, 0x47],
    ["32 bits", 4, 1],
    ["big-endian", 5, 2],
    ["an executable", 16, 2],
    ["program headers of another size", 54, 32],
  ];
  test.each(changes)("%s", async (_, at, value) => {
    const bytes = good.slice();
    bytes[at] = value;
    expect(await layoutOf(good)).toBeDefined();
    expect(await layoutOf(bytes)).toBeUndefined();
  });

  test("every length below that of a header", async () => {
    for (let length = 0; length < 64; length++) {
      expect(await layoutOf(good.subarray(0, length))).toBeUndefined();
    }
  });
});

describe("elfcore: counts", () => {
  test("PN_XNUM takes the count from section header 0", async () => {
    const headers = Array.from({ length: 3 }, (_, i) => ({
      offset: 8192 + i * 4096,
      address: 0x10000 * (i + 1),
      fileBytes: 4096,
    }));
    const sectionOffset = 1024;
    const shape = { byteLength: 8192 + 3 * 4096, headers, claimedCount: 0xffff, sectionOffset };
    expect(await shown({ ...shape, sectionCount: 3 })).toHaveLength(4);
    expect(await shown({ ...shape, sectionCount: 2 })).toHaveLength(4);
    expect(await shown({ ...shape, sectionCount: 0 })).toEqual([[0, 20_480, undefined]]);
  });

  test("a claimed count beyond the limit reads nothing and leaves one segment", async () => {
    const bytes = buildCore({
      byteLength: 9000,
      headers: [{ offset: 4096, fileBytes: 4096 }],
      claimedCount: 0xffff,
      sectionOffset: 1024,
      sectionCount: 0xffffffff,
    });
    const log: number[] = [];
    const layout = await readElfCore(readerOf(bytes, log), bytes.length);
    expect(layout?.segments).toEqual([{ byteOffset: 0, byteLength: 9000 }]);
    expect(log).toEqual([64, 64]);
  });

  test("more segments than an archive can describe leave one segment", async () => {
    const headers = (count: number) =>
      Array.from({ length: count }, (_, i) => ({ offset: 2 * i + 1, fileBytes: 1 }));
    for (const [count, segments] of [
      [262_143, 524_287],
      [262_144, 1],
    ]) {
      const sectionOffset = 64 + count * 56;
      const byteLength = sectionOffset + 64;
      const claim = { claimedCount: 0xffff, sectionOffset, sectionCount: count };
      const layout = await layoutOf(buildCore({ byteLength, headers: headers(count), ...claim }));
      expect(layout?.segments).toHaveLength(segments);
      expectPartition(layout?.segments ?? [], byteLength);
    }
  });

  test("what is written is read again, for 0 to 70 000 mappings", async () => {
    for (const count of [0, 1, 1023, 1024, 65_533, 65_534, 70_000]) {
      const notes = new Uint8Array(20).fill(1);
      const first = coreHeadBytes(notes.length, count);
      const loads: CoreLoad[] = Array.from({ length: count }, (_, i) => ({
        address: BigInt(i + 1) << 20n,
        memoryBytes: 4096,
        permissions: "rw-p",
        byteOffset: first + i * 4096,
        byteLength: 4096,
      }));
      const head = encodeCoreHead(62, notes, loads);
      expect(head.length).toBe(first);
      const byteLength = first + count * 4096;
      const layout = await readElfCore(readerOf(head), byteLength);
      expectPartition(layout?.segments ?? [], byteLength);
      const addresses = layout?.regions.map(({ address }) => address);
      expect(addresses).toEqual(loads.map(({ address }) => address));
    }
  });
});

describe("elfcore: hostile bytes", () => {
  const edge = fc.oneof(
    fc.bigInt({ min: 0n, max: 20_000n }),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    fc.constantFrom(0n, 1n, 4095n, 4096n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n),
  );
  const header = fc.record({
    type: fc.constantFrom(0, 1, 1, 1, 4),
    offset: edge,
    address: edge,
    fileBytes: edge,
  });

  test("any program headers give a partition on the page grid of memory", async () => {
    const shapes = fc.record({
      byteLength: fc.integer({ min: 64, max: 20_000 }),
      headers: fc.array(header, { maxLength: 12 }),
      claimedCount: fc.option(fc.integer({ min: 0, max: 0xffff }), { nil: undefined }),
      sectionOffset: fc.integer({ min: 0, max: 1000 }),
      sectionCount: fc.integer({ min: 0, max: 2000 }),
    });
    await fc.assert(
      fc.asyncProperty(shapes, async ({ claimedCount, ...shape }) => {
        const bytes = buildCore(claimedCount === undefined ? shape : { ...shape, claimedCount });
        const layout = await layoutOf(bytes);
        // A section header that lies over the ELF header may unmake the core.
        if (layout === undefined) return;
        expectPartition(layout.segments, bytes.length);
        for (const { segmentIndex, address } of layout.regions) {
          const { byteLength } = layout.segments[segmentIndex];
          const inPage = Number(address % 4096n);
          if (inPage !== 0) expect(inPage + byteLength).toBeLessThanOrEqual(4096);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("any mutation of a real head gives a partition or no core", async () => {
    const loads: CoreLoad[] = [0, 1, 2].map((i) => ({
      address: BigInt(i) << 16n,
      memoryBytes: 8192,
      permissions: "r--p",
      byteOffset: 4096 + i * 8192,
      byteLength: 8192,
    }));
    const core = new Uint8Array(4096 + 3 * 8192);
    core.set(encodeCoreHead(62, new Uint8Array(8), loads));
    const change = fc.tuple(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 255 }));
    await fc.assert(
      fc.asyncProperty(
        fc.array(change, { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 0, max: core.length }),
        async (changes, byteLength) => {
          const bytes = core.slice(0, byteLength);
          for (const [at, value] of changes) bytes[at] = value;
          const layout = await layoutOf(bytes);
          if (layout !== undefined) expectPartition(layout.segments, bytes.length);
        },
      ),
      { numRuns: 1000 },
    );
  });
});
