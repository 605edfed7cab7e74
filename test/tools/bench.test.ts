// The bench of what is served needs curl and nbdcopy: it runs from end to end, which compares every
// byte, and reports sane numbers; how fast anything is, is not a test.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { temporaryFolder } from "../support/folder.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

it("bench:serve: a quick run reads each image in all ways", async () => {
  const json = join(temporaryFolder(), "serve.json");
  const words = ["--import", "./test/support/strip-types.mjs", "bench/serve.ts", "--quick"];
  await promisify(execFile)(process.execPath, [...words, "--json", json], { cwd: root });
  const report = JSON.parse(readFileSync(json, "utf8"));
  expect(report.schema).toBe("pagefold/serve/1");
  expect(report.reads).toHaveLength(8);
  for (const { way, mebibytesPerSecond, timesUnpack } of report.reads) {
    expect(mebibytesPerSecond, way).toBeGreaterThan(0);
    expect(timesUnpack, way).toBeGreaterThan(0);
  }
});
