// node --import ./test/support/strip-types.mjs scripts/manual.ts writes dist/man/pagefold.1: the
// manual page, made from the same commands as --help. What is not in them is in manual/page.ts.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { commandTree } from "../src/cli/program.ts";
import { manualPage } from "./manual/page.ts";

const { version } = JSON.parse(readFileSync("package.json", "utf8"));
const { SOURCE_DATE_EPOCH: epoch } = process.env;
const date = epoch === undefined ? new Date() : new Date(Number(epoch) * 1000);
const program = await commandTree(version, "all", () => undefined);
mkdirSync("dist/man", { recursive: true });
writeFileSync("dist/man/pagefold.1", manualPage(program, version, date));
