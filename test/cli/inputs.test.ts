// What can be packed, as a user gives it: files in every container, folders of CRIU, and stdin.
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { fail, imageBytes, pagefold, succeed, writeFiles } from "../support/cli.ts";
import { type CriuProcess, writeCriu } from "../support/criu.ts";
import { buildCore } from "../support/elf.ts";
import { temporaryFolder } from "../support/folder.ts";
import { limeFile } from "../support/lime.ts";
import { lz4Frames } from "../support/lz4-frames.ts";
import { zstdFrames } from "../support/zstd-frames.ts";

const RAW = imageBytes(1, 70, 100);
const LIME = limeFile([{ first: 0x1000n, byteLength: 0x20000 }]);

test("containers: what is in them comes out, and is said", async () => {
  const folder = temporaryFolder();
  writeFiles(folder, {
    "raw.gz": gzipSync(RAW),
    "raw.lz4": lz4Frames(RAW),
    "lime.zst": zstdFrames(LIME),
  });
  const pack = ["pack", "raw.gz", "lime.zst", "-v", "-o", "A.pfa"];
  const { stderr } = await pagefold(pack, { cwd: folder });
  expect(stderr).toMatch(/ raw {2}\(gzip\)\n.* lime {2}\(zstd\)\n/);
  const same = /^pagefold: raw\.gz and raw\.lz4 are both the image raw$/;
  const both = ["pack", "raw.gz", "raw.lz4", "-o", "B.pfa"];
  await fail(both, { cwd: folder }, { code: 2, line: same });
  expect(await succeed(["list", "-v", "A.pfa"], folder)).toMatch(
    / raw +raw {2}decompressed=gzip\n.* lime +lime {2}decompressed=zstd\n/,
  );
  await succeed(["unpack", "A.pfa", "-C", "out"], folder);
  expect(readFileSync(join(folder, "out/raw")).equals(RAW)).toBe(true);
  expect(readFileSync(join(folder, "out/lime")).equals(LIME)).toBe(true);
});

test("stdin: also what cannot be read forwards, in a container or not", async () => {
  const folder = temporaryFolder();
  const headers = [{ offset: 5000, address: 0x7000, fileBytes: 0x20000 }];
  const core = Buffer.from(buildCore({ byteLength: 0x30000, headers }));
  RAW.copy(core, 5000, 0, 0x20000);
  for (const stdin of [core, gzipSync(core), lz4Frames(core)]) {
    const pack = ["pack", "-", "--name", "x", "-o", "A.pfa", "-f", "-q"];
    expect(await pagefold(pack, { cwd: folder, stdin })).toMatchObject({ code: 0, stderr: "" });
    expect(await succeed(["list", "-v", "A.pfa"], folder)).toMatch(/ elf-core +x\b/);
    const { stdout } = await pagefold(["cat", "A.pfa", "x"], { cwd: folder });
    expect(stdout.equals(core)).toBe(true);
  }
});

test("folders: those of CRIU are packed, others are not", async () => {
  const folder = temporaryFolder();
  const pages = imageBytes(2, 12);
  const stretches = [{ address: 0x40_0000, pageCount: 12, flags: 4 }];
  const processes: CriuProcess[] = [{ pid: 44, stretches, pages }];
  const files = writeCriu(join(folder, "dump"), processes);
  writeFiles(join(folder, "dump"), { "tmpfs.tar.gz.img": gzipSync(RAW) });
  writeFiles(folder, { "vm.raw": RAW });
  await succeed(["pack", "dump/", "vm.raw", "-o", "A.pfa"], folder);
  await succeed(["unpack", "A.pfa", "-C", "out"], folder);
  const names = readdirSync(join(folder, "dump"));
  expect(readdirSync(join(folder, "out/dump"))).toEqual(names);
  for (const name of names) {
    const [was, is] = ["dump", "out/dump"].map((place) => readFileSync(join(folder, place, name)));
    expect(is.equals(was)).toBe(true);
  }
  expect(await succeed(["inspect", "dump"], folder)).toMatch(
    /\ndump: CRIU images, 1 process, 12 pages\n$/,
  );
  const { folders } = JSON.parse(await succeed(["inspect", "dump", "--json"], folder));
  expect(folders).toEqual([{ name: "dump", path: "dump", processCount: 1, pageCount: 12 }]);
  expect(Object.keys(files)).toHaveLength(names.length - 1);
  mkdirSync(join(folder, "other"));
  const line = /^pagefold: other: is a directory without CRIU's inventory\.img; name the files/;
  await fail(["pack", "other", "-o", "B.pfa"], { cwd: folder }, { code: 1, line });
});
