// The memory of a real guest, converted: QEMU's core gives the raw memory of the same instant, by
// way of LiME as well, and its device state is in no one's way.
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, describe, expect, inject, it } from "vitest";
import { loadsOfCore } from "../support/memoryfiles.ts";

const run = promisify(execFile);
const cli = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const images = inject("images");
const folder = mkdtempSync(join(tmpdir(), "pagefold-convert-"));
const RAW = join(images, "vm0-a.raw");

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Packs a file and writes its memory in another format; the new file. */
async function convert(path: string, as: string): Promise<string> {
  const archive = join(folder, "A.pfa");
  await run(process.execPath, [cli, "pack", path, "-o", archive, "--force"]);
  const words = ["unpack", archive, "--as", as, "-C", folder, "--force", "--json"];
  const { stdout } = await run(process.execPath, [cli, ...words]);
  return JSON.parse(stdout).images[0].path;
}

/** Where the guest has RAM at all; QEMU's core has its firmware, too. */
async function expectMemory(path: string): Promise<void> {
  await run("cmp", ["-n", String(statSync(RAW).size), path, RAW]);
}

describe("memory of a virtual machine", () => {
  it("is in its core, and what is made of that", async () => {
    const core = join(images, "vm0-a.elf");
    const raw = await convert(core, "raw");
    await expectMemory(raw);
    // The firmware lies just below 4 GiB; all between is a hole.
    expect(statSync(raw).size).toBe(2 ** 32);
    expect(statSync(raw).blocks * 512).toBeLessThan(2 * statSync(RAW).size);
    const back = await convert(await convert(core, "lime"), "elf");
    await expectMemory(await convert(back, "raw"));
    const [first, ...others] = loadsOfCore(readFileSync(back));
    expect(first.physical).toBe(0n);
    expect(Buffer.compare(first.bytes, readFileSync(RAW))).toBe(0);
    expect(others.map(({ physical }) => physical < 2n ** 32n)).not.toContain(false);
  });

  it("goes from raw to a core and back", async () => {
    const core = await convert(RAW, "elf");
    expect(loadsOfCore(readFileSync(core)).map(({ physical }) => physical)).toEqual([0n]);
    await expectMemory(await convert(core, "raw"));
  });
});
