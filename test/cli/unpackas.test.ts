// unpack --as: the words, the files, and what it says.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fail, imageBytes, pagefold, succeed, writeFiles } from "../support/cli.ts";
import { temporaryFolder } from "../support/folder.ts";
import { coreFile, limeFile, loadsOfCore, rawFile } from "../support/memoryfiles.ts";

const MEMORY = [
  { address: 0n, bytes: imageBytes(1, 60) },
  { address: 0x100000n, bytes: imageBytes(2, 40) },
];

async function folderWithArchive(): Promise<string> {
  const folder = temporaryFolder();
  const process = [{ address: 0x7fff_0000_0000n, bytes: imageBytes(3, 4) }];
  writeFiles(folder, {
    "vm.elf": coreFile(MEMORY, "physical"),
    "vm.lime": limeFile(MEMORY),
    "node.core": coreFile(process, "virtual"),
  });
  await succeed(["pack", "vm.elf", "vm.lime", "node.core", "-o", "A.pfa"], folder);
  return folder;
}

test("writes the memory of what is named, and says what it wrote", async () => {
  const folder = await folderWithArchive();
  const words = ["unpack", "A.pfa", "vm.elf", "vm.lime", "--as", "raw", "-C", "out"];
  const { images } = JSON.parse(await succeed([...words, "--json"], folder));
  const byteLength = 0x100000 + 40 * 4096;
  expect(images).toEqual([
    { name: "vm.elf", path: join("out", "vm.elf.raw"), format: "raw", byteLength },
    { name: "vm.lime", path: join("out", "vm.lime.raw"), format: "raw", byteLength },
  ]);
  for (const { path } of images) {
    expect(readFileSync(join(folder, path)).equals(rawFile(MEMORY))).toBe(true);
  }
  const { stderr } = await pagefold([...words, "-f", "-v"], { cwd: folder });
  expect(stderr).toMatch(/^out\/vm\.elf\.raw\nout\/vm\.lime\.raw\nout: 2 images, /);
});

test("takes an archive from a pipe", async () => {
  const cwd = await folderWithArchive();
  const stdin = readFileSync(join(cwd, "A.pfa"));
  const words = ["unpack", "-", "vm.lime", "--as", "elf", "-C", "out"];
  expect(await pagefold(words, { cwd, stdin })).toMatchObject({ code: 0 });
  expect(readdirSync(join(cwd, "out"))).toEqual(["vm.lime.elf"]);
  const loads = loadsOfCore(readFileSync(join(cwd, "out", "vm.lime.elf")));
  expect(loads.map(({ physical }) => physical)).toEqual(MEMORY.map(({ address }) => address));
});

test("says in a line what it cannot write", async () => {
  const cwd = await folderWithArchive();
  await fail(
    ["unpack", "A.pfa", "--as", "raw", "-C", "out"],
    { cwd },
    {
      code: 1,
      line: /node\.core: its memory reaches up to address 0x7fff00003fff, and a raw file has /,
    },
  );
  expect(readdirSync(join(cwd, "out"))).toEqual(["vm.elf.raw", "vm.lime.raw"]);
  await fail(
    ["unpack", "A.pfa", "--as", "qcow2"],
    { cwd },
    {
      code: 2,
      line: /'qcow2' is invalid\. Allowed choices are raw, elf, lime/,
    },
  );
  await fail(
    ["unpack", "A.pfa", "--as", "raw", "--keep-going"],
    { cwd },
    {
      code: 2,
      line: /'--as <format>' cannot be used with option '--keep-going'/,
    },
  );
});
