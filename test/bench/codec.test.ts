// The bench of codecs runs from end to end and reports sane numbers; how fast anything is, is not a
// test.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import type { CodecReport } from "../../bench/codec.ts";
import { temporaryFolder } from "../support/folder.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

it("bench:codec: a quick run measures all codecs on all sizes of pieces", async () => {
  const json = join(temporaryFolder(), "codec.json");
  const loader = ["--import", "./test/support/strip-types.mjs"];
  const words = [...loader, "bench/codec.ts", "--quick", "--json", json];
  const { stdout } = await promisify(execFile)(process.execPath, words, { cwd: root });
  expect(stdout).toContain("| 256 KiB ");

  const report = JSON.parse(readFileSync(json, "utf8")) as CodecReport;
  expect(report.schema).toBe("pagefold/codec/1");
  expect(report.quick).toBe(true);
  expect(report.byteLength).toBeGreaterThan(1 << 20);
  expect(report.pieces.map(({ pieceBytes }) => pieceBytes / 1024)).toEqual([4, 16, 64, 256, 1024]);
  for (const { pieceBytes, codecs } of report.pieces) {
    const names = codecs.map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining(["ours, balanced", "ours, small", "fflate, level 1, 8 MiB"]),
    );
    expect(names.includes("ours, LZ4")).toBe(pieceBytes <= 65536);
    for (const { name, ratio, encodeMegabytes, decodeMegabytes } of codecs) {
      expect(ratio, name).toBeGreaterThan(1);
      expect(encodeMegabytes, name).toBeGreaterThan(0);
      expect(decodeMegabytes, name).toBeGreaterThan(0);
    }
  }
});
