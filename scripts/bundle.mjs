// Bundles src/ into few files: a command that runs for a second should not spend a tenth of it on
// finding ninety modules. Types come from tsc; dependencies stay outside.
import { readFileSync } from "node:fs";
import { rolldown } from "rolldown";

const { dependencies } = JSON.parse(readFileSync("package.json", "utf8"));

const bundle = await rolldown({
  input: {
    index: "src/index.ts",
    "cli/main": "src/cli/main.ts",
    "pool/worker": "src/pool/worker.ts",
  },
  platform: "node",
  transform: { target: "node20.19" },
  external: [/^node:/, ...Object.keys(dependencies)],
});
await bundle.write({
  dir: "dist",
  format: "esm",
  entryFileNames: "[name].js",
  // As deep as src/, because modules find the kernels and the worker by their own place.
  chunkFileNames: "chunks/[name].js",
});
await bundle.close();
