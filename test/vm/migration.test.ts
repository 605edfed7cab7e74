// Guests that QEMU saved to a file, with the installed QEMU and with one of version 10: streams of
// `migrate exec:` and mapped-ram files. Packed and unpacked they are the same files, QEMU starts
// from them, and their pages are those of the raw memory of the same instant.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { open, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { installTools, kernelPath, writeInitramfs } from "../../scripts/vm/build.ts";
import { differingPages } from "../../scripts/vm/compare.ts";
import { Guest } from "../../scripts/vm/guest.ts";
import { INSTALLED_QEMU, majorOf, newQemu, versionOf } from "../../scripts/vm/qemu10.ts";
import { untilIdle } from "../../scripts/vm/querymigrate.ts";
import type { PackReport } from "../../src/api.ts";
import { saveHead } from "../support/libvirtsave.ts";

const run = promisify(execFile);
const cli = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "pagefold-saved-"));
const place = (name: string) => join(folder, name);
/** QEMU before 9.0 loses writes of emulated guests whose RAM is a multiple of 256 KiB. */
const MEMORY_KIB = 96 * 1024 + 8;
const SHARED = 0.97;
/** What a kernel writes of itself when it goes on is less. */
const WRITTEN_PAGES = 300;
const LIMIT_MS = 90_000;

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function pagefold(...args: string[]) {
  return run(process.execPath, [cli, ...args], { encoding: "buffer", maxBuffer: 1 << 26 });
}

/** Packs the raw memory and then a saved guest, and demands that they share their pages. */
async function packBoth(raw: string, saved: string, archive: string): Promise<void> {
  const { stdout } = await pagefold("pack", raw, saved, "-o", archive, "--force", "--json");
  const [, image] = (JSON.parse(stdout.toString()) as PackReport).images;
  const { zero, uniform, duplicateAcross } = image.counts;
  expect(duplicateAcross).toBeGreaterThan((image.frameCount - zero - uniform) * SHARED);
}

/** What unpacking gives is the file; its path. */
async function unpacked(archive: string, saved: string): Promise<string> {
  const name = saved.slice(folder.length + 1);
  await pagefold("unpack", archive, name, "-C", place("out"), "--force");
  await run("cmp", [saved, join(place("out"), name)]);
  return join(place("out"), name);
}

/** The memory that is taken out of it is that of the guest. */
async function expectMemory(archive: string, saved: string, raw: string): Promise<void> {
  const name = saved.slice(folder.length + 1);
  await pagefold("unpack", archive, name, "--as", "raw", "-C", place("raw"), "--force");
  await run("cmp", [raw, join(place("raw"), `${name}.raw`)]);
}

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + LIMIT_MS; !(await isTrue()); await sleep(200)) {
    if (Date.now() > end) throw new Error(`has not come about in ${LIMIT_MS} ms`);
  }
}

/** Older QEMUs do not know all of them, so none may be named in vain. */
async function setCapabilities(guest: Guest, names: readonly string[], state: boolean) {
  if (names.length === 0) return;
  const capabilities = names.map((capability) => ({ capability, state }));
  await guest.qmp.execute("migrate-set-capabilities", { capabilities });
}

describe("guests with memory above 4 GiB", () => {
  it.each([
    ["pc", 3600],
    ["q35", 2900],
  ])("%s with %d MiB: the memory is where QEMU had put it", async (machine, mebibytes) => {
    const content = Buffer.from(Array.from({ length: 8192 }, (_, i) => i % 251));
    await writeFile(place("content"), content);
    const addresses = [0x123_4000, 0x1_0000_1000];
    const words = ["-M", machine, "-m", String(mebibytes), "-S", "-display", "none", "-nodefaults"];
    for (const addr of addresses) {
      words.push("-device", `loader,file=${place("content")},addr=${addr},force-raw=on`);
    }
    const saved = place(`${machine}.qmig`);
    const qemu = `${INSTALLED_QEMU} ${words.join(" ")} -monitor stdio`;
    await run("sh", ["-c", `(echo 'migrate "exec:cat>${saved}"'; echo quit) | ${qemu}`]);
    await pagefold("pack", saved, "-o", place("high.pfa"), "--force");
    await unpacked(place("high.pfa"), saved);
    await pagefold("unpack", place("high.pfa"), "--as", "raw", "-C", place("raw"), "--force");
    const memory = await open(join(place("raw"), `${machine}.qmig.raw`));
    for (const address of addresses) {
      const { buffer } = await memory.read(Buffer.alloc(8192), 0, 8192, address);
      expect(buffer.equals(content)).toBe(true);
    }
    await memory.close();
  });
});

describe.each(["installed", "backports"])("saved guests of the QEMU that is %s", (which) => {
  let guest: Guest;
  let isNew = false;

  beforeAll(async () => {
    await installTools();
    const kernel = await kernelPath();
    const initramfs = place("initramfs.gz");
    await writeInitramfs(initramfs);
    const qemu = which === "installed" ? INSTALLED_QEMU : (await newQemu()).program;
    isNew = majorOf(await versionOf(qemu)) >= 9;
    const options = { kernel, initramfs, folder, qemu, memoryKiB: MEMORY_KIB, seed: 77 };
    guest = new Guest({ name: which, ...options });
    await guest.ready();
    await guest.qmp.execute("migrate-set-parameters", { "max-bandwidth": 2 ** 33 });
  });

  afterAll(() => guest?.close());

  /** Saves the paused guest, and lets it run on; the paths of its memory and of the file. */
  async function save(name: string, uri: (path: string) => string, capabilities: string[] = []) {
    const raw = place(`${which}-${name}.raw`);
    const saved = place(`${which}-${name}.qmig`);
    await guest.pause();
    await guest.saveRaw(raw);
    await setCapabilities(guest, capabilities, true);
    await guest.qmp.execute("migrate", { uri: uri(saved) });
    expect(await untilIdle(guest)).toBe("completed");
    await setCapabilities(guest, capabilities, false);
    await guest.resume();
    return { raw, saved };
  }

  /** QEMU before 9.0 has none. */
  const expectNoMappedRam = () =>
    expect(setCapabilities(guest, ["mapped-ram"], true)).rejects.toThrow("mapped-ram");

  /** Another QEMU goes on from the file, with the memory that was saved. */
  async function expectStart(path: string, raw: string, scheme: "exec" | "file") {
    const target = guest.arrival({ incoming: "stays paused" });
    try {
      await target.connect();
      if (scheme === "file") await setCapabilities(target, ["mapped-ram"], true);
      const uri = scheme === "file" ? `file:${path}` : `exec:cat ${path}`;
      await target.qmp.execute("migrate-incoming", { uri });
      await until(async () => (await target.status()) !== "inmigrate");
      expect(await differingPages(target.ramPath, raw)).toEqual([]);
      await target.resume();
      // It goes on writing files; a guest that is stuck writes nothing.
      await until(async () => (await differingPages(target.ramPath, raw)).length > WRITTEN_PAGES);
      expect(target.isRunning).toBe(true);
      expect(await target.console()).not.toMatch(/panic|Oops|BUG:/);
    } finally {
      await target.close();
    }
  }

  it("migrate exec: shares its pages with the raw memory, and QEMU starts from it", async () => {
    const { raw, saved } = await save("stream", (path) => `exec:cat > ${path}`);
    await packBoth(raw, saved, place("stream.pfa"));
    const again = await unpacked(place("stream.pfa"), saved);
    await expectMemory(place("stream.pfa"), saved, raw);
    await expectStart(again, raw, "exec");
  });

  it("migrate exec: straight into pack, and back out of cat", async () => {
    const archive = place(`${which}-piped.pfa`);
    const pack = `${process.execPath} ${cli} pack - --name guest.qmig -o ${archive}`;
    const { raw } = await save("piped", () => `exec:${pack} 2> ${place("piped.log")}`);
    const cat = `${process.execPath} ${cli} cat ${archive} guest.qmig`;
    await run("sh", ["-c", `${cat} > ${place("guest.qmig")}`]);
    await expectStart(place("guest.qmig"), raw, "exec");
  });

  it("a running guest that is sent in several rounds comes out of it identical", async () => {
    const saved = place(`${which}-live.qmig`);
    await guest.qmp.execute("migrate-set-parameters", { "max-bandwidth": 60 << 20 });
    await guest.qmp.execute("migrate", { uri: `exec:cat > ${saved}` });
    expect(await untilIdle(guest)).toBe("completed");
    const raw = place(`${which}-live.raw`);
    await guest.saveRaw(raw);
    await guest.resume();
    await guest.qmp.execute("migrate-set-parameters", { "max-bandwidth": 2 ** 33 });
    const archive = place("live.pfa");
    await pagefold("pack", raw, saved, "-o", archive, "--force");
    await unpacked(archive, saved);
    await expectMemory(archive, saved, raw);
  });

  it("mapped-ram shares its pages with the raw memory, and QEMU starts from it", async () => {
    if (!isNew) return expectNoMappedRam();
    for (const more of [[], ["multifd"]]) {
      const capabilities = ["mapped-ram", ...more];
      const { raw, saved } = await save(`mapped${more}`, (path) => `file:${path}`, capabilities);
      await packBoth(raw, saved, place("mapped.pfa"));
      const again = await unpacked(place("mapped.pfa"), saved);
      await expectMemory(place("mapped.pfa"), saved, raw);
      if (more.length === 0) await expectStart(again, raw, "file");
    }
  });

  it("mapped-ram behind the head of libvirt, as its sparse save images have it", async () => {
    if (!isNew) return expectNoMappedRam();
    const head = saveHead({ format: 6 });
    const { raw, saved } = await save("sparse", (path) => `file:${path},offset=${head.length}`, [
      "mapped-ram",
    ]);
    const file = await open(saved, "r+");
    await file.write(head, 0, head.length, 0);
    await file.close();
    await packBoth(raw, saved, place("sparse.pfa"));
    await unpacked(place("sparse.pfa"), saved);
    await expectMemory(place("sparse.pfa"), saved, raw);
  });
});
