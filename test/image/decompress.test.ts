// Compressed images that are read in any order: their content is a file for as long as it is open.
import { readdirSync, readSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openAnyOrder } from "../../src/image/decompress.ts";
import { buildCore } from "../support/elf.ts";
import { temporaryFolder } from "../support/folder.ts";
import { seededRandom } from "../support/random.ts";
import { zstdFrames } from "../support/zstd-frames.ts";

/** A temporary directory of this test's own. */
function ownTemporaryDirectory(): string {
  const before = process.env.TMPDIR;
  onTestFinished(() => {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  });
  const folder = temporaryFolder();
  process.env.TMPDIR = folder;
  expect(tmpdir()).toBe(folder);
  return folder;
}

const headers = [{ offset: 5000, address: 0x7000, fileBytes: 8192 }];
const core = buildCore({ byteLength: 50_000, headers });
core.set(seededRandom(5).bytes(3000), 40_000);

test("decompress: the content in any order, under the path that was given", async () => {
  const path = join(temporaryFolder(), "a.core.zst");
  const folder = ownTemporaryDirectory();
  writeFileSync(path, zstdFrames(core, { frameBytes: 7777 }));
  const image = await openAnyOrder(path);
  onTestFinished(() => image.close());
  expect(image).toMatchObject({ path, format: "elf-core", byteLength: 50_000 });
  expect(image.segments).toHaveLength(3);
  const bytes = Buffer.alloc(3000);
  readSync(image.fd, bytes, 0, 3000, 40_000);
  expect(bytes.equals(core.subarray(40_000, 43_000))).toBe(true);
  expect(image.checkUnchanged()).toBeUndefined();
  expect(readdirSync(folder)).toEqual([]);
});

test("decompress: a file that is not compressed is opened as it is", async () => {
  const path = join(temporaryFolder(), "a.zst");
  const folder = ownTemporaryDirectory();
  writeFileSync(path, core);
  const image = await openAnyOrder(path);
  onTestFinished(() => image.close());
  expect(image).toMatchObject({ path, format: "elf-core" });
  expect(image.mtimeNs).toBe(statSync(path, { bigint: true }).mtimeNs);
  expect(readdirSync(folder)).toEqual([]);
});

test("decompress: leaves nothing behind when the content is broken, or nobody waits", async () => {
  const path = join(temporaryFolder(), "a.zst");
  const folder = ownTemporaryDirectory();
  writeFileSync(path, zstdFrames(new Uint8Array(50_000).fill(3)).subarray(0, -1));
  await expect(openAnyOrder(path)).rejects.toMatchObject({ code: "DAMAGED" });
  const signal = AbortSignal.abort();
  await expect(openAnyOrder(path, { signal })).rejects.toThrow("aborted");
  expect(readdirSync(folder)).toEqual([]);
});
