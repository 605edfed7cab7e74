// The memory of two guests through the real command line: together, later, against a base and as
// an ELF core; every way must give back every byte.
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, describe, expect, inject, it } from "vitest";
import type { ArchivedImageInfo, InspectReport, PackReport, VerifyReport } from "../../src/api.ts";

const run = promisify(execFile);
const cli = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const images = inject("images");
const folder = mkdtempSync(join(tmpdir(), "pagefold-vm-"));
const PAGE_BYTES = 4096;

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function pagefold(...args: string[]) {
  return run(process.execPath, [cli, ...args], { encoding: "buffer", maxBuffer: 1 << 26 });
}

/** The object that a verb prints with --json. */
async function report<Report>(...args: string[]): Promise<Report> {
  const { stdout } = await pagefold(...args, "--json");
  return JSON.parse(stdout.toString());
}

const image = (name: string) => join(images, name);
const output = (name: string) => join(folder, name);

/** Unpacks all of an archive, and compares each image with what was packed. */
async function expectSame(archive: string, names: string[], ...options: string[]): Promise<void> {
  const target = mkdtempSync(join(folder, "unpacked-"));
  await pagefold("unpack", archive, "-C", target, ...options);
  for (const name of names) await run("cmp", [image(name), join(target, name)]);
  rmSync(target, { recursive: true });
}

describe("memory of virtual machines", () => {
  it("pack: two guests share what they have in common", async () => {
    const names = ["vm0-a.raw", "vm1-a.raw"];
    const packed = await report<PackReport>("pack", ...names.map(image), "-o", output("two.pfa"));
    const [first, second] = packed.images;
    expect(first.frameCount).toBe(first.byteLength / PAGE_BYTES);
    // The kernel and the files that both guests have alike are a quarter of the second one.
    expect(second.counts.duplicateAcross).toBeGreaterThan(second.frameCount / 8);
    expect(second.storedBytes).toBeLessThan(first.storedBytes);
    expect(packed.outputBytes).toBeLessThan(packed.inputBytes / 2);
    await expectSame(output("two.pfa"), names);
  });

  it("verify and list: the archive is intact and says what it holds", async () => {
    const verified = await report<VerifyReport>("verify", output("two.pfa"));
    expect(verified).toMatchObject({ intact: true, faults: [], lost: [] });
    const listed = await report<{ images: ArchivedImageInfo[] }>("list", output("two.pfa"));
    expect(listed.images.map(({ name, byteLength }) => [name, byteLength])).toEqual([
      ["vm0-a.raw", statSync(image("vm0-a.raw")).size],
      ["vm1-a.raw", statSync(image("vm1-a.raw")).size],
    ]);
  });

  it("append: a later instant of a guest costs little", async () => {
    const packed = await report<PackReport>("append", output("two.pfa"), image("vm0-b.raw"));
    const [later] = packed.images;
    const { similar, compressed, raw } = later.counts;
    expect(similar + compressed + raw).toBeLessThan(later.frameCount / 10);
    expect(later.storedBytes).toBeLessThan(later.byteLength / 50);
    await expectSame(output("two.pfa"), ["vm0-a.raw", "vm1-a.raw", "vm0-b.raw"]);
    const verified = await report<VerifyReport>("verify", output("two.pfa"));
    expect(verified.intact).toBe(true);
  });

  it("pack --base: a later instant alone, against the first", async () => {
    const archive = output("later.pfa");
    const base = ["--base", image("vm0-a.raw")];
    const packed = await report<PackReport>("pack", ...base, image("vm0-b.raw"), "-o", archive);
    const [later] = packed.images;
    expect(later.counts.base).toBeGreaterThan(later.frameCount / 4);
    expect(packed.outputBytes).toBeLessThan(packed.inputBytes / 8);
    await expectSame(archive, ["vm0-b.raw"], ...base);
    const wrong = pagefold("unpack", archive, "-C", folder, "--base", image("vm1-a.raw"));
    await expect(wrong).rejects.toThrow("vm1-a.raw");
  });

  it("pack: an ELF core shares its pages with the raw image of the same instant", async () => {
    const names = ["vm0-a.raw", "vm0-a.elf"];
    const packed = await report<PackReport>("pack", ...names.map(image), "-o", output("core.pfa"));
    const [raw, core] = packed.images;
    expect(core.storedBytes).toBeLessThan(raw.storedBytes / 50);
    await expectSame(output("core.pfa"), names);
  });

  it("inspect: counts the pages that pack then finds", async () => {
    const names = ["vm0-a.raw", "vm1-a.raw"];
    const inspected = await report<InspectReport>("inspect", ...names.map(image));
    const listed = await report<{ images: ArchivedImageInfo[] }>("list", output("two.pfa"));
    for (const [i, { zero, duplicateAcross, frameCount }] of inspected.images.entries()) {
      const { counts } = listed.images[i];
      expect(zero).toBe(counts.zero);
      expect(Math.abs(duplicateAcross - counts.duplicateAcross)).toBeLessThan(frameCount / 100);
    }
  });

  it("cat: pages out of the middle, without unpacking the rest", async () => {
    const place = ["--offset", "64MiB", "--length", "64KiB"];
    const { stdout } = await pagefold("cat", output("two.pfa"), "vm1-a.raw", ...place);
    const whole = readFileSync(image("vm1-a.raw"));
    expect(stdout.equals(whole.subarray(64 << 20, (64 << 20) + 65536))).toBe(true);
  });
});
