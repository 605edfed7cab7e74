// Opening archives and reading pages and bytes at random, without workers.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openArchive } from "../../src/archive/reader.ts";
import { readArchive } from "../oracle/reader.ts";
import { ArchiveBuilder } from "../support/archivebuilder.ts";
import {
  accessTo,
  describeSample,
  freshPage,
  sampleArchive,
  sampleBuilder,
  stored,
} from "../support/samplearchive.ts";

describe.each([0, 1, 2, 7])("an archive of generation %i", (generation) => {
  it("gives every page of every image", async () => {
    const { bytes, images } = await sampleArchive(generation);
    await using archive = await openArchive(accessTo(bytes));
    expect(archive.generation).toBe(generation);
    expect(archive.byteLength).toBe(bytes.length);
    expect(archive.images.map(({ name }) => name)).toEqual(images.map(({ name }) => name));
    for (const { name, byteLength, pages } of images) {
      const image = archive.image(name);
      expect(image.byteLength).toBe(byteLength);
      expect(image.frameCount).toBe(pages.length / 4096);
      expect(Buffer.compare(await image.readPages(0, image.frameCount), pages)).toBe(0);
      for (let frame = 0; frame < image.frameCount; frame++) {
        const page = await image.readPages(frame, 1);
        expect(page.buffer).toBeInstanceOf(ArrayBuffer);
        expect(Buffer.compare(page, pages.subarray(frame * 4096, frame * 4096 + 4096))).toBe(0);
      }
    }
  });

  it("ignores what lies behind the committed bytes", async () => {
    const { bytes } = await sampleArchive(generation);
    const longer = Buffer.concat([bytes, Buffer.alloc(5000, 0xff)]);
    const opened = openArchive(accessTo(longer));
    if (generation === 0) await expect(opened).rejects.toMatchObject({ code: "DAMAGED" });
    else expect((await opened).byteLength).toBe(bytes.length);
  });
});

describe("the oracle", () => {
  it.each([0, 1, 2])("reads the same from generation %i", async (generation) => {
    const { bytes, images } = await sampleArchive(generation);
    const read = await readArchive(bytes);
    await using archive = await openArchive(accessTo(bytes));
    expect(read.map(({ name }) => name)).toEqual(images.map(({ name }) => name));
    for (const [i, image] of read.entries()) {
      const { notes, format, byteLength, pages } = image;
      const ours = archive.image(image.name);
      expect(Buffer.compare(Buffer.concat(pages), images[i].pages)).toBe(0);
      const bytesRead = await ours.readBytes(0, byteLength);
      expect(Buffer.compare(bytesRead, image.bytes)).toBe(0);
      expect(ours).toMatchObject({ format, byteLength, notes: Object.fromEntries(notes) });
      expect(Object.values(ours.counts)).toEqual(image.counts);
      expect(ours.mtimeMs).toBe(image.mtimeSeconds * 1000 + 123.456);
      expect(ours.sha256).toBe(image.digests[0][1].toString("hex"));
    }
  });

  it("reads later rounds", async () => {
    const builder = await ArchiveBuilder.create();
    const image = builder.beginImage("live");
    builder.addPages(image, 0, [stored(), stored(), { kind: "zero" }, stored()]);
    builder.endImage(image);
    builder.addPages(image, 1, [stored(), { kind: "skip" }, { kind: "zero" }]);
    builder.endImage(image);
    const bytes = builder.finish(0);
    const expected = Buffer.concat(builder.images[0].pages);
    const [read] = await readArchive(bytes);
    expect(Buffer.compare(read.bytes, expected)).toBe(0);
    await using archive = await openArchive(accessTo(bytes));
    expect(Buffer.compare(await archive.image("live").readPages(0, 4), expected)).toBe(0);
  });
});

describe("readBytes", () => {
  it("cuts segments as the file had them", async () => {
    const { bytes, images } = await sampleArchive(1);
    const { name, pages } = images[1];
    const file = Buffer.concat([
      pages.subarray(0, 100),
      pages.subarray(4096, 4096 + 8192),
      pages.subarray(3 * 4096, 3 * 4096 + 4097),
    ]);
    await using archive = await openArchive(accessTo(bytes));
    const image = archive.image(name);
    const edges = [0, 1, 99, 100, 101, 4195, 4196, 8291, 8292, 8293, 12387, 12388, 12389];
    for (const start of edges) {
      for (const end of edges.filter((edge) => edge >= start)) {
        const found = await image.readBytes(start, end - start);
        expect(Buffer.compare(found, file.subarray(start, end)), `${start}–${end}`).toBe(0);
      }
    }
  });
});

describe("what is out of range", () => {
  it("is refused with RANGE", async () => {
    const { bytes } = await sampleArchive(1);
    await using archive = await openArchive(accessTo(bytes));
    expect(() => archive.image("nobody")).toThrow('there is no image "nobody"');
    const image = archive.image("vm0.raw");
    for (const [frame, count] of [
      [12, 1],
      [0, 13],
      [-1, 1],
      [0.5, 1],
      [0, Number.NaN],
      [2 ** 53, 1],
    ]) {
      await expect(image.readPages(frame, count)).rejects.toMatchObject({ code: "RANGE" });
    }
    await expect(image.readBytes(12 * 4096, 1)).rejects.toMatchObject({ code: "RANGE" });
    expect((await image.readPages(12, 0)).length).toBe(0);
    expect((await archive.image("empty").readBytes(0, 0)).length).toBe(0);
  });
});

describe("opening", () => {
  it.each([0, 1])(
    "reads one page of 100 images in 3 reads and 1 MiB (generation %i)",
    async (g) => {
      const builder = await ArchiveBuilder.create();
      for (let image = 0; image < 100; image++) {
        builder.beginImage(`fleet/vm${image}.raw`);
        builder.addPages(
          image,
          0,
          Array.from({ length: 40 }, () => stored()),
          16,
        );
        builder.endImage(image);
      }
      const access = accessTo(builder.finish(g, { leafFrames: 8 }));
      await using archive = await openArchive(access);
      const page = await archive.image("fleet/vm37.raw").readPages(21, 1);
      expect(Buffer.compare(page, builder.images[37].pages[21])).toBe(0);
      expect(access.reads.length).toBeLessThanOrEqual(3);
      expect(access.reads.reduce((sum, length) => sum + length)).toBeLessThanOrEqual(1 << 20);
    },
  );

  it("reads what was appended, and the old state when the append was not committed", async () => {
    const builder = await sampleBuilder();
    const old = builder.finish(1);
    const added = builder.beginImage("later");
    builder.addPages(added, 0, [stored(), { kind: "zero" }]);
    builder.endImage(added);
    const bytes = builder.finish(2);
    const { images } = describeSample(builder, bytes);
    await using archive = await openArchive(accessTo(bytes));
    expect(archive.images.length).toBe(images.length);
    const later = await archive.image("later").readPages(0, 2);
    expect(Buffer.compare(later, images[3].pages)).toBe(0);
    // The superblocks of the first commit, the bytes of the second.
    const killed = Buffer.concat([old.subarray(0, 8192), bytes.subarray(8192)]);
    await using before = await openArchive(accessTo(killed));
    expect(before.images.length).toBe(images.length - 1);
    expect(before.generation).toBe(1);
  });

  it("lets the footer decide when one superblock is damaged", async () => {
    const builder = await sampleBuilder();
    builder.finish(1);
    const added = builder.beginImage("later");
    builder.endImage(added);
    const bytes = builder.finish(2);
    for (const [block, generation] of [
      [0, 2],
      [1, 2],
    ]) {
      const torn = Buffer.from(bytes);
      torn.fill(0x55, block * 4096 + 20, block * 4096 + 60);
      await using archive = await openArchive(accessTo(torn));
      expect(archive.generation).toBe(generation);
    }
    const tornAndKilled = Buffer.concat([bytes, Buffer.alloc(100)]);
    tornAndKilled[30] ^= 1;
    await using archive = await openArchive(accessTo(tornAndKilled));
    expect(archive.generation).toBe(1);
  });

  it("says in one line what is wrong with a file", async () => {
    const folder = await mkdtemp(join(tmpdir(), "pagefold-"));
    const path = join(folder, "A.pfa");
    const { bytes } = await sampleArchive(1);
    const piped = (await sampleArchive(0)).bytes;
    const cases: [Buffer, string, string][] = [
      [Buffer.alloc(0), "FORMAT", "not a pagefold archive"],
      [Buffer.from("hello"), "FORMAT", "not a pagefold archive"],
      [Buffer.alloc(100_000, 3), "FORMAT", "not a pagefold archive"],
      [
        bytes.subarray(0, bytes.length - 1),
        "DAMAGED",
        `truncated: ${bytes.length - 1} bytes, ${bytes.length} committed`,
      ],
      [bytes.subarray(0, 5000), "DAMAGED", "truncated: 5000 bytes"],
      [
        piped.subarray(0, piped.length - 1),
        "DAMAGED",
        `truncated: ${piped.length - 1} bytes, no footer at the end`,
      ],
    ];
    try {
      for (const [content, code, message] of cases) {
        await writeFile(path, content);
        const opened = openArchive(path);
        await expect(opened).rejects.toMatchObject({ code });
        await expect(opened).rejects.toThrow(`${path}: ${message}`);
      }
      await expect(openArchive(folder)).rejects.toThrow(`${folder}: is not a regular file`);
      await expect(openArchive(`${path}.no`)).rejects.toThrow("no such file or directory");
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("hears the signal", async () => {
    const { bytes } = await sampleArchive(1);
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(openArchive(accessTo(bytes), { signal })).rejects.toThrow("enough");
    await using archive = await openArchive(accessTo(bytes));
    const read = archive.image("vm0.raw").readPages(0, 3, { signal });
    await expect(read).rejects.toThrow("enough");
  });
});

describe("a base", () => {
  it("is read where frames lie in it, and asked for when it is missing", async () => {
    const builder = await ArchiveBuilder.create();
    const old = [freshPage(), freshPage(), freshPage()];
    const base = { name: "old.raw", byteLength: 3 * 4096, checksum: builder.checksumOf(old) };
    const image = builder.beginImage("new.raw", { base });
    builder.addPages(image, 0, [
      { kind: "base", frame: 1, page: old[1] },
      { kind: "base", frame: 2, page: old[2] },
      stored(),
    ]);
    builder.endImage(image);
    const { bytes, images } = describeSample(builder, builder.finish(1));
    await using archive = await openArchive(accessTo(bytes));
    const opened = archive.image("new.raw");
    await expect(opened.readPages(0, 1)).rejects.toMatchObject({ code: "BASE" });
    const source = {
      frameCount: 3,
      async read(frame: number, count: number, into: Uint8Array) {
        into.set(Buffer.concat(old.slice(frame, frame + count)));
      },
    };
    const pages = await opened.readPages(0, 3, { base: source });
    expect(Buffer.compare(pages, images[0].pages)).toBe(0);
    const short = { ...source, frameCount: 2 };
    await expect(opened.readPages(0, 2, { base: short })).rejects.toMatchObject({ code: "BASE" });
  });
});

describe("usage", () => {
  it("counts clusters per MiB and what only one image needs", async () => {
    const { bytes } = await sampleArchive(1);
    await using archive = await openArchive(accessTo(bytes));
    const [a, b, empty] = await archive.usage();
    expect(empty).toEqual({ name: "empty", clustersPerMiB: 0, exclusiveBytes: 0 });
    // vm0 stores 7 pages in 3 clusters and 2 deltas in one; vm1 shares 2 of them and stores 3.
    expect(a.clustersPerMiB).toBeCloseTo((4 * 256) / 12);
    expect(b.clustersPerMiB).toBeCloseTo((3 * 1048576) / 12389);
    expect(a.exclusiveBytes).toBeGreaterThan(5 * 4096);
    expect(a.exclusiveBytes).toBeLessThan(5.4 * 4096);
    expect(b.exclusiveBytes).toBe(3 * 4096 + 48);
  });
});
