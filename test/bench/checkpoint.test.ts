// The bench of checkpoints runs from end to end, which checks every result, and reports sane
// numbers; how fast anything is, is not a test.
import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import type { CheckpointReport } from "../../bench/checkpoint/report.ts";
import { findCheckpoints } from "../../bench/checkpoint/sequence.ts";
import { temporaryFolder } from "../support/folder.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

it("bench:checkpoint: a quick run measures all ways on all epochs", async () => {
  const json = join(temporaryFolder(), "checkpoint.json");
  const loader = ["--import", "./test/support/strip-types.mjs"];
  const words = [...loader, "bench/checkpoint.ts", "--quick", "--json", json];
  const { stdout } = await promisify(execFile)(process.execPath, words, { cwd: root });
  expect(stdout).toContain("| memory.copy ");

  const report = JSON.parse(readFileSync(json, "utf8")) as CheckpointReport;
  expect(report.schema).toBe("pagefold/checkpoint/1");
  expect(report.quick).toBe(true);
  expect(report.epochs).toHaveLength(2);
  for (const { changedPages, changedBlocks, results } of report.epochs) {
    expect(changedPages).toBeGreaterThan(10);
    const bytesOf = (wanted: string) => results.find(({ name }) => name === wanted)?.bytes ?? 0;
    expect(bytesOf("blocks of 64, as they are")).toBeGreaterThan(64 * changedBlocks);
    expect(bytesOf("pages, as they are")).toBeGreaterThan(4096 * changedPages);
    expect(bytesOf("blocks of 64, deltas")).toBeLessThan(bytesOf("blocks of 64, as they are"));
    expect(bytesOf("pagefold diff -o")).toBe(bytesOf("diff, library"));
    for (const { name, bytes, elapsedMs } of results) {
      expect(bytes, name).toBeGreaterThan(0);
      expect(elapsedMs, name).toBeGreaterThan(0);
    }
  }
  for (const { name, timesCopy } of report.floor) expect(timesCopy, name).toBeGreaterThan(0);
});

it("bench:checkpoint: wants two images at least, of one length", () => {
  const folder = join(temporaryFolder(), "checkpoints");
  mkdirSync(folder);
  const write = (name: string, pages: number) =>
    writeFileSync(join(folder, name), Buffer.alloc(4096 * pages));
  write("b.raw", 2);
  expect(() => findCheckpoints(folder)).toThrow("1 files are no sequence");
  write("a.raw", 2);
  expect(findCheckpoints(folder)).toEqual(["a.raw", "b.raw"].map((name) => join(folder, name)));
  write("c.raw", 3);
  expect(() => findCheckpoints(folder)).toThrow("c.raw: 12288 bytes, the first one has 8192");
});
