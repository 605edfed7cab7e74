// The benches run from end to end and report sane numbers; how fast anything is, is not a test.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import type { BenchReport } from "../../bench/main.ts";
import { temporaryFolder } from "../support/folder.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

it("bench: a quick run measures kernels, workers, pages and memory", async () => {
  const json = join(temporaryFolder(), "bench.json");
  const loader = ["--import", "./test/support/strip-types.mjs"];
  const words = [...loader, "bench/main.ts", "--quick", "--json", json];
  const { stdout } = await promisify(execFile)(process.execPath, words, { cwd: root });
  expect(stdout).toContain("| memory.copy ");

  const report = JSON.parse(readFileSync(json, "utf8")) as BenchReport;
  expect(report.schema).toBe("pagefold/bench/1");
  expect(report.quick).toBe(true);
  expect(report.machine.cores).toBeGreaterThan(0);
  expect(report.kernels.pageCount).toBeGreaterThan(0);
  const kernels = report.kernels.results.map(({ name }) => name);
  expect(kernels).toEqual(expect.arrayContaining(["survey", "diff, blocks of 64"]));
  for (const { name, mibPerSecond, timesCopy } of report.kernels.results) {
    expect(mibPerSecond, name).toBeGreaterThan(0);
    expect(timesCopy, name).toBeGreaterThan(0);
  }
  const scaled = report.scaling.map(({ operation, threads }) => `${operation} ${threads}`);
  expect(scaled).toEqual(expect.arrayContaining(["pack 1", "pack 2", "inspect 1", "inspect 2"]));
  for (const { medianMs, p99Ms, reads } of report.latency) {
    expect(reads).toBeGreaterThan(0);
    expect(p99Ms).toBeGreaterThanOrEqual(medianMs);
  }
  // Node alone takes 30 MiB and more.
  expect(report.packPeakBytes).toBeGreaterThan(30 << 20);
});
