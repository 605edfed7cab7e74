// The bench of formats runs from end to end: every file comes back and holds the same memory. How
// fast anything is, is not a test.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import type { FormatsReport } from "../../bench/formats.ts";
import { temporaryFolder } from "../support/folder.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

it("bench:formats: a quick run compares all formats with raw memory", async () => {
  const json = join(temporaryFolder(), "formats.json");
  const loader = ["--import", "./test/support/strip-types.mjs"];
  const words = [...loader, "bench/formats.ts", "--quick", "--json", json];
  const { stdout } = await promisify(execFile)(process.execPath, words, { cwd: root });
  expect(stdout).toContain("| vm.kdump ");

  const report = JSON.parse(readFileSync(json, "utf8")) as FormatsReport;
  expect(report.schema).toBe("pagefold/formats/1");
  expect(report.images.map(({ format }) => format)).toEqual([
    "raw",
    "elf-core",
    "lime",
    "kdump",
    "qemu-migration",
    "libvirt-save",
    "qemu-mapped-ram",
  ]);
  for (const { name, isIdentical, isSameMemory, packTimesFirst } of report.images) {
    expect([name, isIdentical, isSameMemory]).toEqual([name, true, true]);
    expect(packTimesFirst, name).toBeGreaterThan(0);
  }
});
