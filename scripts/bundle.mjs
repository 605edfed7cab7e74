// Bundles src/ into few files: a command that runs for a second should not spend a tenth of it on
// finding ninety modules. Types come from tsc; dependencies stay outside.
import { readFileSync, writeFileSync } from "node:fs";
import { rolldown } from "rolldown";
import { writeReportPage } from "./bundle/report.mjs";

const { dependencies, peerDependencies } = JSON.parse(readFileSync("package.json", "utf8"));

/** @type {import("rolldown").InputOptions} */
const shared = {
  platform: "node",
  transform: { target: "node20.19" },
  external: [/^node:/, ...Object.keys({ ...dependencies, ...peerDependencies })],
};

/**
 * As deep as src/cli: modules find the kernels and the worker by their own place. The command line
 * is bundled apart from the library, or every verb would load what only others need.
 * @param {Record<string, string>} input
 */
async function write(input) {
  const bundle = await rolldown({ ...shared, input });
  await bundle.write({
    dir: "dist",
    format: "esm",
    entryFileNames: "[name].js",
    chunkFileNames: "chunks/[name].js",
  });
  await bundle.close();
}

await write({ "chunks/library": "src/index.ts" });
writeFileSync("dist/index.js", 'export * from "./chunks/library.js";\n');
await write({ "cli/main": "src/cli/main.ts" });

// The pool requires the worker. Node 20 dies when a thread is ended while it requires an ES module,
// and a short operation ends before its workers have begun.
const worker = await rolldown({ ...shared, input: "src/pool/worker.ts" });
await worker.write({ file: "dist/pool/worker.cjs", format: "cjs" });
await worker.close();

await writeReportPage();
