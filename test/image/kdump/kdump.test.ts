// Dumps are taken apart and put together again: each kind that is written, and those that are odd.
import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { type Kdump, openKdump } from "../../../src/image/kdump/kdump.ts";
import { recompress } from "../../../src/image/recompress.ts";
import { wovenContent } from "../../../src/image/woven.ts";
import { WovenFile } from "../../../src/image/wovenfile.ts";
import {
  type DumpedPage,
  flatten,
  makeKdump,
  type PageKind,
  pieceHead,
  somePages,
} from "../../support/kdump.ts";
import { joinParts, placeOf } from "../../support/parts.ts";
import { randomSeed, seededRandom } from "../../support/random.ts";

const NAME = "a dump";
const PAGE_BYTES = 4096;

async function open(bytes: Uint8Array): Promise<Kdump | undefined> {
  const read = async (at: number, into: Uint8Array) => {
    const part = bytes.subarray(at, at + into.length);
    into.set(part);
    return part.length;
  };
  return openKdump(read, bytes.length, { name: NAME, recompress });
}

/** The content of the woven image, the file that it makes, and the memory in the dump. */
async function take(bytes: Uint8Array) {
  const dump = await open(bytes);
  if (!dump) throw new Error("is no dump");
  const { content, woven } = wovenContent(dump);
  const seen = createHash("sha256");
  const pieces: Uint8Array[] = [];
  for await (const piece of content(undefined, seen)) pieces.push(new Uint8Array(piece));
  const whole = Buffer.concat(pieces);
  const read = async (at: number, into: Uint8Array) =>
    void into.set(whole.subarray(at, at + into.length));
  const file = await WovenFile.open(read, whole.length, NAME, recompress);
  const made = Buffer.alloc(file.byteLength);
  await file.read(0, made);
  expect(woven?.fileBytes).toBe(made.length);
  expect(seen.digest("hex")).toBe(createHash("sha256").update(made).digest("hex"));
  const { memory } = await joinParts(dump.parts());
  return { dump, made, memory, contentBytes: whole.length };
}

function expectMemory(memory: Map<string, Buffer>, pages: readonly DumpedPage[]): void {
  const there = pages.filter(({ kind }) => kind !== "missing" && kind !== "lzo");
  expect(memory.size).toBe(there.length);
  for (const { frame, bytes } of there) {
    const page = memory.get(placeOf(undefined, frame * PAGE_BYTES));
    expect(page && Buffer.compare(page, bytes)).toBe(0);
  }
}

async function expectSame(bytes: Uint8Array, pages: readonly DumpedPage[]) {
  const taken = await take(bytes);
  expect(taken.dump.decompressed).toBeUndefined();
  expect(Buffer.compare(taken.made, bytes)).toBe(0);
  expectMemory(taken.memory, pages);
  return taken;
}

const USUAL: readonly PageKind[] = ["zlib", "zlib", "zlib", "zlib", "plain", "shared"];

describe("a dump whose pages can be compressed again", () => {
  it("is given back, and its pages are known by their addresses", async () => {
    const pages = somePages(randomSeed("kdump"), 700, USUAL);
    const dump = makeKdump({ pages });
    const { contentBytes } = await expectSame(dump, pages);
    const own = pages.filter(({ kind }) => kind !== "shared").length;
    // Head and bitmaps are four blocks; a row costs the length of its data.
    expect(contentBytes - own * PAGE_BYTES).toBeLessThan(5 * PAGE_BYTES + 8 * pages.length);
  });

  it("may be compressed with snappy", async () => {
    const kinds: PageKind[] = ["snappy", "snappy", "plain", "shared"];
    const pages = somePages(randomSeed("kdump snappy"), 400, kinds);
    await expectSame(makeKdump({ pages }), pages);
  });

  it("may be of any version, of 32 bits, and a part of a split one", async () => {
    const seed = randomSeed("kdump versions");
    for (const version of [1, 2, 3, 4, 5, 6]) {
      for (const is32 of [false, true]) {
        const pages = somePages(seed + version, 60, USUAL);
        await expectSame(makeKdump({ pages, version, is32 }), pages);
        if (version < 2) continue;
        const split = [pages[10].frame, pages[50].frame] as const;
        await expectSame(makeKdump({ pages, version, is32, split }), pages.slice(10, 50));
      }
    }
  });

  it("keeps what stands between and behind the data, and odd rows and pages", async () => {
    const seed = randomSeed("odd kdump");
    const kinds: PageKind[] = [...USUAL, ...USUAL, ...USUAL, ...USUAL, "missing"];
    const pages = somePages(seed, 300, kinds);
    const late = somePages(seed, 300, [...kinds, "odd", "zstd"]).slice(200);
    const mixed = [
      ...pages.slice(0, 200),
      ...late.map((page) => ({ ...page, frame: page.frame + 2000 })),
    ];
    const erased = Buffer.from("erase symbols");
    await expectSame(makeKdump({ pages, erased }), pages);
    await expectSame(makeKdump({ pages, gapBytes: 13, erased }), pages);
    await expectSame(makeKdump({ pages: mixed, erased }), mixed);
  });

  it("may end anywhere", async () => {
    const random = seededRandom(randomSeed("cut kdump"));
    const pages = somePages(random.int(1000), 40, USUAL);
    const dump = makeKdump({ pages });
    for (let round = 0; round < 20; round++) {
      const cut = dump.subarray(0, 4 * PAGE_BYTES + random.int(dump.length - 4 * PAGE_BYTES));
      expect(Buffer.compare((await take(cut)).made, cut)).toBe(0);
    }
  });

  it("may have its data in any order, and pages that several rows share", async () => {
    const pages = somePages(randomSeed("kdump order"), 50, ["zlib"]);
    const dump = makeKdump({ pages });
    const table = 4 * PAGE_BYTES;
    const row = (i: number) => dump.subarray(table + 24 * i, table + 24 * (i + 1));
    const first = Buffer.from(row(3));
    row(3).set(row(40));
    row(40).set(first);
    row(20).set(row(10));
    const moved = pages.map((page, i) => {
      const other = i === 3 ? 40 : i === 40 ? 3 : i === 20 ? 10 : i;
      return { ...page, bytes: pages[other].bytes };
    });
    await expectSame(dump, moved);
  });
});

describe("a flattened dump", () => {
  it("is given back as it was", async () => {
    const pages = somePages(randomSeed("flattened"), 200, USUAL);
    const dump = makeKdump({ pages });
    await expectSame(flatten(dump, [464, 3632, 4096, 16384]), pages);
    await expectSame(flatten(dump, [100_000, 1], 5), pages);
  });

  it("may write a place twice, in any order, and leave some out", async () => {
    const pages = somePages(randomSeed("rewritten"), 100, USUAL);
    const dump = makeKdump({ pages });
    const head = Buffer.alloc(4096);
    head.write("makedumpfile", "latin1");
    const piece = (start: number, end: number, bytes: Uint8Array = dump.subarray(start, end)) => [
      pieceHead(start, end - start),
      bytes,
    ];
    const flat = Buffer.concat([
      head,
      ...piece(20_000, dump.length),
      ...piece(0, 464, Buffer.alloc(464, 1)),
      ...piece(4096, 15_000),
      ...piece(3000, 3000),
      ...piece(14_000, 20_000),
      ...piece(0, 464),
      pieceHead(-1, -1),
    ]);
    await expectSame(flat, pages);
  });

  it("may be cut", async () => {
    const random = seededRandom(randomSeed("cut flattened"));
    const pages = somePages(random.int(1000), 40, USUAL);
    const flat = flatten(makeKdump({ pages }), [5000]);
    for (let round = 0; round < 20; round++) {
      const cut = flat.subarray(0, 30_000 + random.int(flat.length - 30_000));
      expect(Buffer.compare((await take(cut)).made, cut)).toBe(0);
    }
  });
});

describe("a dump whose pages cannot be compressed again", () => {
  for (const [kind, name] of [
    ["odd", "kdump-zlib"],
    ["odd-snappy", "kdump-snappy"],
    ["zstd", "kdump-zstd"],
  ] as const) {
    it(`becomes the same dump, not compressed (${name})`, async () => {
      const pages = somePages(randomSeed(`kdump ${kind}`), 300, [kind, kind, "plain", "shared"]);
      const dump = makeKdump({ pages, erased: Buffer.from("erase symbols") });
      for (const bytes of [dump, flatten(dump, [5000])]) {
        const { dump: taken, made, memory } = await take(bytes);
        expect(taken.decompressed).toBe(name);
        expectMemory(memory, pages);
        // What came out is a dump by itself, and names no compression.
        expect(made.readUInt32LE(424)).toBe(0);
        const offset = Number(made.readBigUInt64LE(PAGE_BYTES + 64));
        expect(made.toString("latin1", offset)).toBe("erase symbols");
        await expectSame(made, pages);
      }
    });
  }

  it("refuses LZO by its name", async () => {
    const pages = somePages(1, 30, ["lzo"]);
    const fault = "a dump: its pages are compressed with LZO, which is not read: ";
    await expect(open(makeKdump({ pages }))).rejects.toThrow(fault);
  });

  it("refuses a page that does not decompress", async () => {
    const pages = somePages(1, 100, ["zstd"]);
    const dump = makeKdump({ pages });
    dump.fill(0, dump.length - PAGE_BYTES - 10, dump.length - PAGE_BYTES);
    const { decompressed } = (await open(dump)) as Kdump;
    expect(decompressed).toBe("kdump-zstd");
    const { frame } = pages[99];
    await expect(take(dump)).rejects.toThrow(`a dump: the data of page ${frame} at byte `);
  });
});

describe("what only begins as a dump", () => {
  it("is none", async () => {
    const pages = somePages(1, 10, USUAL);
    const dump = makeKdump({ pages });
    for (const at of [8, 428, 432, 436]) {
      const broken = Buffer.from(dump);
      broken.writeUInt32LE(0x7fffffff, at);
      expect(await open(broken)).toBeUndefined();
    }
    expect(await open(dump.subarray(0, 400))).toBeUndefined();
    expect(await open(flatten(Buffer.alloc(10_000, 1), [5000]))).toBeUndefined();
    const holes = Buffer.concat([flatten(dump, [5000]).subarray(0, 4096), pieceHead(2 ** 50, 5)]);
    expect(await open(holes)).toBeUndefined();
  });
});
