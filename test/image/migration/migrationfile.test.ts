// Saved migration streams, made up and mutated, in pieces of any size: every byte comes back, and
// where a stream is one of QEMU's, its pages are the pages of the memory.
import { describe, expect, it } from "vitest";
import { migrationParts } from "../../../src/image/migration/migrationfile.ts";
import { inPieces, joinParts, placeOf } from "../../support/parts.ts";
import { type MadeStream, makeStream, StreamMaker } from "../../support/qemustream.ts";
import { randomSeed, type SeededRandom, seededRandom } from "../../support/random.ts";

async function taken(bytes: Uint8Array, random?: SeededRandom, prefixBytes = 0) {
  const pieces = random
    ? inPieces(bytes, random, 1 + random.int(1 << 16))
    : inPieces(bytes, seededRandom(1), 1 << 20);
  return joinParts(migrationParts(pieces, { prefixBytes }));
}

/** What a target would have of the main memory: the last record of each page counts. */
function expectMemory(made: MadeStream, memory: ReadonlyMap<string, Buffer>): void {
  const main = made.blocks[0];
  const last = new Map<number, MadeStream["records"][number]>();
  for (const record of made.records) last.set(record.frame, record);
  const whole = new Map(made.records.map(({ frame }) => [frame, true]));
  for (const { frame, kind } of made.records) if (kind === "xbzrle") whole.set(frame, false);
  for (const [frame, { kind, content }] of last) {
    if (!whole.get(frame)) continue;
    const block = made.blocks.findLast(({ firstFrame }) => firstFrame <= frame) ?? main;
    const name = block === main ? undefined : block.name;
    const page = memory.get(placeOf(name, (frame - block.firstFrame) * 4096));
    const wanted = kind === "zero" ? Buffer.alloc(4096) : Buffer.from(content ?? []);
    expect(page?.equals(wanted), `frame ${frame}`).toBe(true);
  }
}

/** A guest of 16 pages that were sent in one part, in their order, between devices. */
function plainStream(pages: Uint8Array[], { before = (_: StreamMaker) => {} } = {}) {
  const maker = new StreamMaker().magic().configuration("pc-q35-7.2");
  before(maker);
  maker.startRam([{ name: "pc.ram", pages: pages.length }]).part(3);
  for (const [index, page] of pages.entries()) maker.record("page", 0, index, page);
  return maker.endOfPart().footer().devices(seededRandom(7), 4).u8(0).description().made();
}

const painted = Array.from({ length: 16 }, (_, i) => new Uint8Array(4096).fill(i + 1));

describe("migration files", () => {
  it("take streams apart into all their pages, whatever the pieces", async () => {
    const random = seededRandom(randomSeed("migrationfile"));
    for (let round = 0; round < 60; round++) {
      const made = makeStream(random, {
        rounds: 1 + random.int(4),
        recordsPerRound: 1 + random.int(400),
        isPostcopy: random.int(6) === 0,
        hasDescription: random.int(4) > 0,
        hasReturnPath: random.int(2) === 0,
        hasPageSizes: random.int(2) === 0,
        hasAddresses: random.int(2) === 0,
        capabilities: random.int(2) === 0 ? ["x-ignore-shared"] : [],
      });
      const { file, memory, pageCount, zeroCount, hidden } = await taken(made.bytes, random);
      expect(file.equals(made.bytes)).toBe(true);
      const counts = { page: 0, zero: 0, xbzrle: 0 };
      for (const { kind } of made.records) counts[kind]++;
      expect({ pageCount, zeroCount }).toEqual({ pageCount: counts.page, zeroCount: counts.zero });
      expect(hidden.size).toBe(counts.xbzrle > 0 ? 1 : 0);
      expectMemory(made, memory);
    }
  });

  it("give runs of pages as one part, with their first header", async () => {
    const { bytes } = plainStream(painted);
    const seen: unknown[] = [];
    for await (const part of migrationParts(inPieces(bytes, seededRandom(1), 1 << 20))) {
      if (part.kind === "pages") seen.push([part.pages.length / 4096, part.form, part.address]);
    }
    // The first record names its block.
    expect(seen).toEqual([
      [1, { as: "plain" }, 0],
      [15, { as: "counted", first: 4096 + 0x28 }, 4096],
    ]);
  });

  it("find the memory behind sections whose length is unknown", async () => {
    const random = seededRandom(randomSeed("migrationfile early"));
    const made = plainStream(painted, {
      before: (maker) => {
        // An early device (virtio-mem), a bitmap, and more of it than a window holds.
        maker.u8(4).be32(9).name("0000:00:02.0/virtio-mem-early").be32(0).be32(1);
        maker.raw(random.bytes(3 << 19)).footer(9);
        maker.u8(1).be32(11).name("dirty-bitmap").be32(0).be32(1).raw(random.bytes(300)).footer(11);
      },
    });
    const { file, pageCount } = await taken(made.bytes, random);
    expect(file.equals(made.bytes)).toBe(true);
    expect(pageCount).toBe(16);
  });

  it("go on with the next part of memory behind a record that nobody knows", async () => {
    const maker = new StreamMaker().magic().configuration("pc-q35-7.2");
    maker.startRam([{ name: "pc.ram", pages: 16 }]).part(2);
    maker
      .record("page", 0, 0, painted[0])
      .be64(4096 + 0x80)
      .raw(new Uint8Array(77).fill(3));
    maker.record("page", 0, 2, painted[2]).endOfPart().footer();
    maker.part(3).record("page", 0, 3, painted[3]).endOfPart().footer().u8(0);
    const { bytes } = maker.made();
    const { file, pageCount } = await taken(bytes);
    expect(file.equals(bytes)).toBe(true);
    expect(pageCount).toBe(2);
  });

  it("keep compressed pages as they stand, and those behind them apart", async () => {
    const maker = new StreamMaker().magic().configuration("pc-q35-7.2");
    maker
      .startRam([{ name: "pc.ram", pages: 16 }])
      .part(3)
      .record("page", 0, 0, painted[0]);
    maker
      .be64(4096 + 0x120)
      .be32(30)
      .raw(new Uint8Array(30).fill(9));
    maker.record("page", 0, 2, painted[2]).endOfPart().footer().u8(0);
    const { bytes } = maker.made();
    const { file, pageCount, hidden } = await taken(bytes);
    expect(file.equals(bytes)).toBe(true);
    expect(pageCount).toBe(2);
    expect([...hidden]).toEqual(["compressed pages"]);
  });

  it("say where memory lies: below and above the hole of a PC", async () => {
    const maker = new StreamMaker().magic().configuration("pc-i440fx-7.2");
    const low = 3 * 2 ** 18;
    maker.startRam([
      { name: "pc.ram", pages: 2 ** 20 },
      { name: "pc.bios", pages: 4 },
    ]);
    maker.part(3);
    for (const page of [low - 2, low - 1, low, low + 1]) maker.record("page", 0, page, painted[0]);
    maker.record("page", 1, 3, painted[1]).endOfPart().footer().u8(0);
    const { memory } = await taken(maker.made().bytes);
    expect([...memory.keys()]).toEqual([
      placeOf(undefined, 3 * 2 ** 30 - 8192),
      placeOf(undefined, 3 * 2 ** 30 - 4096),
      placeOf(undefined, 2 ** 32),
      placeOf(undefined, 2 ** 32 + 4096),
      placeOf("pc.bios", 3 * 4096),
    ]);
  });

  it("pass what stands in front of the stream, and tell an observer of all bytes", async () => {
    const { bytes } = plainStream(painted);
    const prefixed = Buffer.concat([new Uint8Array(70_000).fill(5), bytes]);
    const seen: Buffer[] = [];
    const observer = { update: (piece: Uint8Array) => seen.push(Buffer.from(piece)) };
    const pieces = inPieces(prefixed, seededRandom(3), 5000);
    const { file, pageCount } = await joinParts(
      migrationParts(pieces, { prefixBytes: 70_000, observer }),
    );
    expect(file.equals(prefixed)).toBe(true);
    expect(Buffer.concat(seen).equals(prefixed)).toBe(true);
    expect(pageCount).toBe(16);
  });

  it("give back every byte of streams that are cut or mutated", async () => {
    const seed = randomSeed("migrationfile fuzz");
    const random = seededRandom(seed);
    const rounds = Number(process.env.PAGEFOLD_FUZZ_ROUNDS ?? 1500);
    for (let round = 0, made = makeStream(random); round < rounds; round++) {
      if (round % 50 === 0) made = makeStream(random, { recordsPerRound: 20 });
      const bytes = made.bytes.slice(0, random.int(4) ? undefined : random.int(made.bytes.length));
      for (let changes = random.int(6); changes > 0 && bytes.length > 0; changes--) {
        // Most mutations would hit pages, where nothing is read.
        const at = random.int(random.int(2) ? Math.min(600, bytes.length) : bytes.length);
        const choice = random.int(3);
        if (choice === 0) bytes[at] = random.int(256);
        else if (choice === 1) bytes.fill(0xff, at, at + 1 + random.int(8));
        else bytes.copyWithin(at, random.int(bytes.length), random.int(bytes.length));
      }
      const prefixBytes = random.int(8) ? 0 : random.int(100);
      const { file } = await taken(bytes, random, prefixBytes);
      if (!file.equals(bytes)) throw new Error(`round ${round} of seed ${seed}: other bytes`);
    }
  });
});
