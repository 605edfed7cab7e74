// node --import ./scripts/typescript.mjs FILE.ts runs our TypeScript on Node 20, which cannot yet
// strip types by itself. Worker threads inherit the flag. Types are not checked here.
import { register } from "node:module";

register("./typescript-hooks.mjs", import.meta.url);
