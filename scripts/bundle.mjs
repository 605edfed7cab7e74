// Bundles src/ into few files: a command that runs for a second should not spend a tenth of it on
// finding ninety modules. Types come from tsc; dependencies stay outside.
import { readFileSync } from "node:fs";
import { rolldown } from "rolldown";

const { dependencies } = JSON.parse(readFileSync("package.json", "utf8"));

/** @type {import("rolldown").InputOptions} */
const shared = {
  platform: "node",
  transform: { target: "node20.19" },
  external: [/^node:/, ...Object.keys(dependencies)],
};

const bundle = await rolldown({
  ...shared,
  input: { index: "src/index.ts", "cli/main": "src/cli/main.ts" },
});
await bundle.write({
  dir: "dist",
  format: "esm",
  entryFileNames: "[name].js",
  // As deep as src/, because modules find the kernels and the worker by their own place.
  chunkFileNames: "chunks/[name].js",
});
await bundle.close();

// The pool requires the worker. Node 20 dies when a thread is ended while it requires an ES module,
// and a short operation ends before its workers have begun.
const worker = await rolldown({ ...shared, input: "src/pool/worker.ts" });
await worker.write({ file: "dist/pool/worker.cjs", format: "cjs" });
await worker.close();
