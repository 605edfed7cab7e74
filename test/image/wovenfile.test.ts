// Files made of random parts, taken apart and put together again: as a whole, in any part, in
// layers, and from content that says anything.
import { deflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { PagefoldError } from "../../src/core/errors.ts";
import { PAGE_BYTES } from "../../src/core/page.ts";
import { type Part, wovenContent } from "../../src/image/woven.ts";
import { type Recompress, WovenFile } from "../../src/image/wovenfile.ts";
import { WeaveLayer } from "../../src/wire/weave.ts";
import { randomSeed, type SeededRandom, seededRandom } from "../support/random.ts";

/** Any compressor will do here, as long as it does the same each time. */
const recompress: Recompress = (_, pages, pageBytes) => {
  const made: Buffer[] = [];
  for (let at = 0; at < pages.length; at += pageBytes) {
    made.push(deflateSync(pages.subarray(at, at + pageBytes), { level: 1 }));
  }
  return { bytes: Buffer.concat(made), lengths: made.map(({ length }) => length) };
};

/** Some part of a file, and the bytes it stands for. */
function makePart(random: SeededRandom): { part: Part; bytes: Uint8Array } {
  const pageCount = 1 + random.int(random.int(4) === 0 ? 600 : 4);
  const first = random.int(2 ** 30) * PAGE_BYTES + random.int(256);
  const countAt = (i: number): Buffer => {
    const count = Buffer.alloc(8);
    count.writeBigUInt64BE(BigInt(first + i * PAGE_BYTES));
    return count;
  };
  const indices = Array.from({ length: pageCount }, (_, i) => i);
  const pages = random.bytes(pageCount * PAGE_BYTES);
  for (let i = 0; i < pageCount; i += 2) pages.fill(i, i * PAGE_BYTES, (i + 1) * PAGE_BYTES);
  const pageAt = (i: number) => pages.subarray(i * PAGE_BYTES, (i + 1) * PAGE_BYTES);
  switch (random.int(6)) {
    case 0: {
      const bytes = random.bytes(random.int(random.int(4) === 0 ? 200_000 : 300));
      return { part: { kind: "literal", bytes }, bytes };
    }
    case 1:
      return { part: { kind: "pages", pages, form: { as: "plain" } }, bytes: pages };
    case 2: {
      const bytes = Buffer.concat(indices.flatMap((i) => [countAt(i), pageAt(i)]));
      return { part: { kind: "pages", pages, form: { as: "counted", first } }, bytes };
    }
    case 3: {
      const bytes = Buffer.concat(indices.flatMap((i) => [countAt(i), Buffer.alloc(1)]));
      return { part: { kind: "zeros", pageCount, form: { as: "counted", first } }, bytes };
    }
    case 4: {
      const { bytes, lengths } = recompress("zlib", pages, PAGE_BYTES);
      const form = {
        as: "zlib",
        pageBytes: PAGE_BYTES,
        lengths: Uint32Array.from(lengths),
      } as const;
      return { part: { kind: "pages", pages, form }, bytes };
    }
    default:
      return {
        part: { kind: "zeros", pageCount, form: { as: "nothing" } },
        bytes: Buffer.alloc(0),
      };
  }
}

function makeFile(random: SeededRandom, count: number) {
  const made = Array.from({ length: count }, () => makePart(random));
  return { parts: made.map(({ part }) => part), file: Buffer.concat(made.map((m) => m.bytes)) };
}

async function contentOf(parts: Part[], layers?: () => WeaveLayer[]) {
  async function* all() {
    yield* parts;
  }
  const { content, woven } = wovenContent({ format: "raw", parts: all, ...(layers && { layers }) });
  const pieces: Uint8Array[] = [];
  for await (const piece of content()) pieces.push(piece.slice());
  return { content: Buffer.concat(pieces), fileBytes: woven?.fileBytes };
}

function open(content: Uint8Array): Promise<WovenFile> {
  const read = async (offset: number, into: Uint8Array): Promise<void> => {
    const part = content.subarray(offset, offset + into.length);
    expect(part.length).toBe(into.length);
    into.set(part);
  };
  return WovenFile.open(read, content.length, "a dump", recompress);
}

async function readAll(woven: WovenFile): Promise<Buffer> {
  const bytes = Buffer.alloc(woven.byteLength);
  await woven.read(0, bytes);
  return bytes;
}

describe("a file that was taken apart", () => {
  it("is put together again, as a whole and in any part", async () => {
    const random = seededRandom(randomSeed("woven"));
    for (let round = 0; round < 12; round++) {
      const { parts, file } = makeFile(random, 1 + random.int(round === 0 ? 600 : 20));
      const { content, fileBytes } = await contentOf(parts);
      expect(fileBytes).toBe(file.length);
      const woven = await open(content);
      expect((await readAll(woven)).equals(file)).toBe(true);
      for (let reads = 0; reads < 60 && file.length > 0; reads++) {
        const offset = random.int(file.length);
        const part = new Uint8Array(random.int(Math.min(100_000, file.length - offset) + 1));
        await woven.read(offset, part);
        expect(Buffer.compare(part, file.subarray(offset, offset + part.length))).toBe(0);
      }
    }
  });

  it("may be made of parts of a file that was made", async () => {
    const random = seededRandom(randomSeed("woven layers"));
    const { parts, file } = makeFile(random, 40);
    const outer = new WeaveLayer();
    const expected: Uint8Array[] = [];
    for (let i = 0; i < 300; i++) {
      const head = random.bytes(random.int(20));
      const offset = random.int(file.length);
      const end = Math.min(file.length, offset + random.int(30_000));
      outer.literal(head);
      outer.copy(end - offset, offset);
      expected.push(head, file.subarray(offset, end));
    }
    const { content, fileBytes } = await contentOf(parts, () => [outer]);
    const all = Buffer.concat(expected);
    expect(fileBytes).toBe(all.length);
    expect((await readAll(await open(content))).equals(all)).toBe(true);
  });

  it("costs next to nothing where pages are counted up", async () => {
    const pages = new Uint8Array(256 * PAGE_BYTES).fill(7);
    const parts = Array.from({ length: 64 }, (_, i): Part => {
      return { kind: "pages", pages, form: { as: "counted", first: i * 256 * PAGE_BYTES + 32 } };
    });
    const { content } = await contentOf(parts);
    expect(content.length - 64 * pages.length).toBeLessThan(60);
  });

  it("answers reads that come at the same time", async () => {
    const random = seededRandom(randomSeed("woven reads"));
    const { parts, file } = makeFile(random, 60);
    const woven = await open((await contentOf(parts)).content);
    const reads = Array.from({ length: 50 }, async () => {
      const offset = random.int(file.length);
      const part = new Uint8Array(Math.min(5000, file.length - offset));
      await woven.read(offset, part);
      return Buffer.compare(part, file.subarray(offset, offset + part.length));
    });
    expect(new Set(await Promise.all(reads))).toEqual(new Set([0]));
  });

  it("is read as before after its content could not be read", async () => {
    const random = seededRandom(randomSeed("woven failures"));
    const { parts, file } = makeFile(random, 20);
    const { content } = await contentOf(parts);
    let failsIn = Number.POSITIVE_INFINITY;
    const read = async (offset: number, into: Uint8Array): Promise<void> => {
      if (failsIn-- === 0) throw new Error("a bad sector");
      into.set(content.subarray(offset, offset + into.length));
    };
    for (let reads = 0; reads < 40; reads++) {
      const woven = await WovenFile.open(read, content.length, "a dump", recompress);
      failsIn = reads;
      const failure = await readAll(woven).catch(String);
      failsIn = Number.POSITIVE_INFINITY;
      if (typeof failure === "string") expect(failure).toBe("Error: a bad sector");
      expect((await readAll(woven)).equals(file)).toBe(true);
    }
  });

  it("ends in an error of ours whatever its content says", async () => {
    const random = seededRandom(randomSeed("woven totality"));
    const { parts } = makeFile(random, 8);
    const { content } = await contentOf(parts);
    for (let round = 0; round < 1500; round++) {
      const bytes = new Uint8Array(content);
      // Mostly in what stands behind the pages.
      for (let changes = 1 + random.int(3); changes > 0; changes--) {
        const at = content.length - 1 - random.int(Math.min(content.length, 400));
        bytes[at] = random.int(3) === 0 ? 0xff : random.int(256);
      }
      const cut = random.int(8) === 0 ? bytes.subarray(0, random.int(bytes.length)) : bytes;
      try {
        const woven = await open(cut);
        // A claimed length is not allocated.
        const offset = Math.max(0, woven.byteLength - 1 - random.int(4096));
        const part = new Uint8Array(Math.min(5000, woven.byteLength - offset));
        await woven.read(offset, part);
        await woven.read(0, part);
      } catch (error) {
        if (error instanceof PagefoldError && error.code === "DAMAGED") continue;
        throw error;
      }
    }
  });
});
