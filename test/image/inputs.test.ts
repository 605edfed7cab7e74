// Paths as images: what folders and compressed files are called.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { imagesAt } from "../../src/image/inputs.ts";
import { writeCriu } from "../support/criu.ts";
import { temporaryFolder } from "../support/folder.ts";
import { lz4Frames } from "../support/lz4-frames.ts";
import { zstdFrames } from "../support/zstd-frames.ts";

test("inputs: files lose the endings of their containers", async () => {
  const folder = temporaryFolder();
  const bytes = new Uint8Array(5000).fill(7);
  const files: Record<string, Uint8Array> = {
    "a.raw.gz": gzipSync(bytes),
    "b.raw.lz4": lz4Frames(bytes),
    "c.raw.zst": zstdFrames(bytes),
    "d.raw.gz.zst": zstdFrames(gzipSync(bytes)),
    "e.gz": bytes,
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  const paths = Object.keys(files).map((name) => join(folder, name));
  const names = async (decompress: boolean) =>
    (await imagesAt(paths, { decompress })).images.map(({ name }) => name);
  expect(await names(true)).toEqual(["a.raw", "b.raw", "c.raw", "d.raw", "e.gz"]);
  expect(await names(false)).toEqual(Object.keys(files));
});

test("inputs: a folder of CRIU is all its files, as they are", async () => {
  const folder = temporaryFolder();
  const dump = join(folder, "dump");
  const pages = new Uint8Array(8192).fill(3);
  const stretches = [{ address: 0x1000, pageCount: 2, flags: 4 }];
  const files = writeCriu(dump, [{ pid: 5, stretches, pages }]);
  writeFileSync(join(dump, "tmpfs-dev-1.tar.gz.img"), gzipSync(pages));
  const names = [...Object.keys(files), "tmpfs-dev-1.tar.gz.img"].sort();
  const { images, folders } = await imagesAt([`${dump}/`]);
  expect(images).toEqual(
    names.map((name) => ({ name: `dump/${name}`, path: join(dump, name), decompress: false })),
  );
  expect(folders).toEqual([{ name: "dump", path: `${dump}/`, processCount: 1, pageCount: 2 }]);
  writeFileSync(join(folder, "vm.raw"), pages);
  const both = await imagesAt([dump, join(folder, "vm.raw")]);
  expect(both.images.at(-1)).toEqual({ name: "vm.raw", path: join(folder, "vm.raw") });
  await expect(imagesAt([folder])).rejects.toMatchObject({ code: "INPUT" });
});
