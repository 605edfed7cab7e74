// Holds the tree to the rules of the house, and the checker to its own: a bad sample must fail.
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { complaints } from "./support/tidy.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

function readTree(): Map<string, string> {
  const tree = new Map<string, string>();
  for (const folder of ["src", "assembly", "test", "bench", "scripts"]) {
    for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      tree.set(relative(root, path), readFileSync(path, "utf8"));
    }
  }
  return tree;
}

/** A tree without fault, into which each case below puts one. */
const GOOD = new Map([
  ["src/index.ts", '// The public interface.\nexport { engine } from "./engine.ts";\n'],
  [
    "src/engine.ts",
    '// Composes.\nexport { page } from "./core/page.ts";\nexport const engine = 1;\n',
  ],
  ["src/core/page.ts", "// A page.\nexport const page = 4096;\n"],
  ["src/cli/main.ts", '// The commands.\nimport { engine } from "../index.ts";\nengine;\n'],
  ["src/pool/worker.ts", '// A worker.\nimport { page } from "../core/page.ts";\npage;\n'],
  ["assembly/index.ts", '// All kernels.\nexport * from "./zero";\n'],
  ["assembly/zero.ts", "// Zero?\nexport function zero(): bool { return true; }\n"],
  ["test/core/page.test.ts", "// Pages.\n"],
]);

/** Complaints about the good tree with some files changed or added. */
function complaintsWith(files: Record<string, string>): string[] {
  return complaints(new Map([...GOOD, ...Object.entries(files)]));
}

const page = GOOD.get("src/core/page.ts");

describe("tidy", () => {
  it("has nothing to say about this tree", () => {
    expect(complaints(readTree())).toEqual([]);
  });

  it("has nothing to say about a good sample", () => {
    expect(complaintsWith({})).toEqual([]);
  });

  it.each<[string, Record<string, string>, string]>([
    [
      "an import that points upward",
      { "src/core/page.ts": `${page}import "../engine.ts";\n` },
      "src/core/page.ts: may not import src/engine.ts",
    ],
    [
      "an import of a type from a folder of equal level",
      {
        "src/wire/batch.ts": '// A batch.\nimport type { Table } from "../dedup/table.ts";\n',
        "src/dedup/table.ts": "// A table.\nexport type Table = number;\n",
        "src/index.ts": '// All.\nexport type { Batch } from "./wire/batch.ts";\n',
      },
      "src/wire/batch.ts: may not import src/dedup/table.ts",
    ],
    [
      "a command line that goes past the public interface",
      { "src/cli/main.ts": '// Commands.\nimport { page } from "../core/page.ts";\npage;\n' },
      "src/cli/main.ts: may not import src/core/page.ts",
    ],
    [
      "a worker that loads more than kernels and core",
      {
        "src/pool/worker.ts": '// A worker.\nimport "../wire/batch.ts";\n',
        "src/wire/batch.ts": "// A batch.\n",
      },
      "src/wire/batch.ts: is loaded by the worker",
    ],
    [
      "WebAssembly outside of its folder",
      { "src/core/page.ts": `${page}export const memory = WebAssembly;\n` },
      "src/core/page.ts: names WebAssembly",
    ],
    [
      "Piscina outside of its folder",
      { "src/core/page.ts": `${page}import "piscina";\n` },
      "src/core/page.ts: names piscina",
    ],
    [
      "a folder without a level",
      {
        "src/other/page.ts": "// A page.\n",
        "src/index.ts": '// All.\nimport "./other/page.ts";\n',
      },
      "src/other/page.ts: the folder other has no level",
    ],
    [
      "a file that nothing imports",
      { "src/core/extent.ts": "// An extent.\n" },
      "src/core/extent.ts: nothing imports it",
    ],
    [
      "a kernel outside of the module",
      { "assembly/diff.ts": "// A diff.\n" },
      "assembly/diff.ts: is not part of the module",
    ],
    [
      "a long file",
      { "src/core/page.ts": `${page}${"// more\n".repeat(249)}` },
      "src/core/page.ts: 251 lines",
    ],
    [
      "a long function",
      { "src/core/page.ts": `${page}export const f = () => {\n${"  f();\n".repeat(69)}};\n` },
      "src/core/page.ts:3: a function of 71 lines",
    ],
    [
      "a long line",
      { "assembly/zero.ts": `${GOOD.get("assembly/zero.ts")}// ${"z".repeat(98)}\n` },
      "assembly/zero.ts:3: 101 columns",
    ],
    [
      "a name that says nothing",
      { "scripts/file-utils.mjs": "// Files.\n" },
      "scripts/file-utils.mjs: the name says nothing about the content",
    ],
    [
      "a default export",
      { "src/core/page.ts": "// A page.\nexport default function page() {}\n" },
      "src/core/page.ts: has a default export",
    ],
    [
      "a file that does not say what it is",
      { "src/core/page.ts": "export const page = 4096;\n" },
      "src/core/page.ts: does not say what it is",
    ],
    [
      "an unfinished mark",
      { "src/core/page.ts": `${page}// ${"TO"}${"DO"}: finish\n` },
      "src/core/page.ts: holds an unfinished mark",
    ],
    [
      "a test that does not run",
      { "test/core/page.test.ts": `// Pages.\n${"it"}.skip("is one", () => {});\n` },
      `test/core/page.test.ts: ${"it"}.skip`,
    ],
    [
      "a test of nothing",
      { "test/core/extent.test.ts": "// Extents.\n" },
      "test/core/extent.test.ts: there is no src/core/extent.ts",
    ],
  ])("complains about %s", (_, files, complaint) => {
    expect(complaintsWith(files)).toContain(complaint);
  });
});
