// The sizes that assembly/layout.ts and src/kernels/abi.ts state must be the same.
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { PAGE_BYTES } from "../../src/core/page.ts";
import * as abi from "../../src/kernels/abi.ts";

/** The constants of a file of plain `export const NAME = number;` lines, by name. */
function constantsOf(path: string): Record<string, number> {
  const source = readFileSync(new URL(path, import.meta.url), "utf8");
  const found = source.matchAll(/export const ([A-Z0-9_]+)(?:: u32)? = ([0-9a-fx_]+);/g);
  return Object.fromEntries([...found].map((m) => [m[1], Number(m[2].replaceAll("_", ""))]));
}

it("abi: the kernels and TypeScript agree on every size and code", () => {
  const layout = constantsOf("../../assembly/layout.ts");
  const mirror = Object.entries(abi).filter(([, value]) => typeof value === "number");
  expect(Object.keys(layout).length).toBeGreaterThan(10);
  expect({ PAGE_BYTES, ...Object.fromEntries(mirror) }).toEqual(layout);
});
