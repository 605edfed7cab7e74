// node --import ./test/support/strip-types.mjs scripts/vm-images.ts FOLDER
//   [--guests N] [--memory MiB]
// Boots small guests and writes their memory: vmN-a.raw at one instant for all, vm0-a.elf of the
// same instant, vm0-b.raw some seconds later. Also a module: the tests call `makeImages`.
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { installTools, kernelPath, writeInitramfs } from "./vm/build.ts";
import { Guest } from "./vm/guest.ts";

/** How long the first guest runs on before its second image is taken. */
const SECOND_INSTANT_MS = 4000;

/** Writes the images of 2 guests of 128 MiB unless told otherwise; resolves with their paths. */
export async function makeImages(
  folder: string,
  { guests: count = 2, memoryMiB = 128 } = {},
): Promise<string[]> {
  await installTools();
  const kernel = await kernelPath();
  await mkdir(folder, { recursive: true });
  const runFolder = await mkdtemp(join(tmpdir(), "pagefold-vm-"));
  const guests: Guest[] = [];
  const paths: string[] = [];
  try {
    const initramfs = join(runFolder, "initramfs.gz");
    await writeInitramfs(initramfs);
    for (let i = 0; i < count; i++) {
      const name = `vm${i}`;
      const seed = 100 + i;
      const memoryKiB = memoryMiB * 1024;
      guests.push(new Guest({ name, seed, memoryKiB, kernel, initramfs, folder: runFolder }));
    }
    await Promise.all(guests.map((guest) => guest.ready()));
    await Promise.all(guests.map((guest) => guest.pause()));
    for (const [i, guest] of guests.entries()) {
      paths.push(join(folder, `vm${i}-a.raw`));
      await guest.saveRaw(paths[i]);
    }
    paths.push(join(folder, "vm0-a.elf"), join(folder, "vm0-b.raw"));
    await guests[0].saveElf(join(folder, "vm0-a.elf"));
    await guests[0].resume();
    await sleep(SECOND_INSTANT_MS);
    await guests[0].pause();
    await guests[0].saveRaw(join(folder, "vm0-b.raw"));
    return paths;
  } finally {
    await Promise.all(guests.map((guest) => guest.close()));
    await rm(runFolder, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { guests: { type: "string" }, memory: { type: "string" } },
  });
  if (positionals.length !== 1) {
    console.error("usage: scripts/vm-images.ts FOLDER [--guests N] [--memory MiB]");
    process.exit(2);
  }
  const paths = await makeImages(resolve(positionals[0]), {
    guests: Number(values.guests ?? 2),
    memoryMiB: Number(values.memory ?? 128),
  });
  for (const path of paths) console.log(path);
}
