// The base image: the right one is taken from a file or from an archive, another one is refused.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BaseInput } from "../../src/api.ts";
import { openBase } from "../../src/archive/base.ts";
import { openArchive } from "../../src/archive/reader.ts";
import { ArchiveBuilder } from "../support/archivebuilder.ts";
import { freshPage, stored } from "../support/samplearchive.ts";

const pages = [freshPage(), freshPage(), new Uint8Array(4096)];
pages[2].set([1, 2, 3]);
const byteLength = 2 * 4096 + 3;
const old = Buffer.concat(pages).subarray(0, byteLength);
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "pagefold-"));
  await writeFile(join(folder, "old.raw"), old);
  const changed = Buffer.from(old);
  changed[5000] ^= 1;
  await writeFile(join(folder, "changed.raw"), changed);
  await writeFile(join(folder, "short.raw"), old.subarray(1));
  const olds = await ArchiveBuilder.create();
  const first = olds.beginImage("old.raw", { byteLength });
  olds.addPages(first, 0, pages.map(stored));
  olds.endImage(first);
  await writeFile(join(folder, "old.pfa"), olds.finish(1));
  const builder = await ArchiveBuilder.create();
  const checksum = builder.checksumOf(pages, byteLength);
  const image = builder.beginImage("new.raw", { base: { name: "old.raw", byteLength, checksum } });
  builder.addPages(image, 0, [
    stored(),
    { kind: "base", frame: 0, page: pages[0] },
    { kind: "base", frame: 1, page: pages[1] },
    { kind: "base", frame: 2, page: pages[2] },
  ]);
  builder.endImage(image);
  await writeFile(join(folder, "new.pfa"), builder.finish(1));
});
afterAll(() => rm(folder, { recursive: true }));

const inFolder = (name: string): BaseInput => ({ path: join(folder, name) });

describe("base", () => {
  it.each(["file", "archive"])("gives the pages of the right image from a %s", async (kind) => {
    const input =
      kind === "file" ? inFolder("old.raw") : { archive: join(folder, "old.pfa"), name: "old.raw" };
    await using archive = await openArchive(join(folder, "new.pfa"));
    const image = archive.image("new.raw");
    await using base = await openBase(input, image);
    expect(base.frameCount).toBe(3);
    const read = await image.readPages(1, 3, { base });
    expect(Buffer.compare(read, Buffer.concat(pages))).toBe(0);
    const report = await archive.verify({ base: input });
    expect(report).toMatchObject({ intact: true, faults: [], lost: [] });
  });

  it("refuses another image by name, before anything is read from it", async () => {
    await using archive = await openArchive(join(folder, "new.pfa"));
    const image = archive.image("new.raw");
    const wrong = (name: string) => openBase(inFolder(name), image);
    const reason = "is another image: new.raw was made against old.raw";
    await expect(wrong("changed.raw")).rejects.toThrow(`changed.raw: ${reason}, with another`);
    await expect(wrong("short.raw")).rejects.toThrow(`${byteLength} bytes, not ${byteLength - 1}`);
    await expect(wrong("short.raw")).rejects.toMatchObject({ code: "BASE" });
    await expect(wrong("none.raw")).rejects.toMatchObject({ code: "INPUT" });
    const based = { archive: join(folder, "new.pfa"), name: "new.raw" };
    await expect(openBase(based, image)).rejects.toThrow("a base must stand alone");
    await expect(archive.verify()).rejects.toMatchObject({ code: "BASE" });
  });
});
