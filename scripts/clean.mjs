// Removes the output of the TypeScript compiler, so that no file of an earlier build is shipped.
// build/ stays: the AssemblyScript compiler rewrites each of its files.
import { rmSync } from "node:fs";

rmSync(new URL("../dist", import.meta.url), { recursive: true, force: true });
