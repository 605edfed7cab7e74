// The ways the guests of a rack can move: what QEMU offers by itself, a tunnel for each pair of
// hosts, and the same tunnels that share an index and a store.
import { spawnSync } from "node:child_process";
import type { RackMoveOptions } from "../../scripts/vm/rackmove.ts";
import { PAGEFOLD } from "../../scripts/vm/tunnel.ts";
import { contenders as gangContenders } from "../gang/contenders.ts";

export interface RackContender {
  name: string;
  options: RackMoveOptions;
}

const LEVELS = ["store", "fast", "balanced"];
const USUAL = ["default", "multifd-zstd", "gang", "interrack"];

/** The usual ways, or those with the given names, in that order. */
export function contenders(
  names: readonly string[] = USUAL,
  tunnelWords: readonly string[] = [],
): RackContender[] {
  const all: RackContender[] = gangContenders(["default", "xbzrle", "multifd-zstd"], []);
  // QEMU does not encrypt either.
  const words = ["--insecure", "--json", ...tunnelWords];
  const levels = [[], ...LEVELS.map((level) => ["--level", level])];
  for (const [kind, shares] of [
    ["gang", false],
    ["interrack", true],
  ] as const) {
    if (shares && !canShare()) continue;
    for (const sourceWords of levels) {
      const name = [kind, ...sourceWords.slice(1)].join("-");
      all.push({ name, options: { via: { words, sourceWords }, shares } });
    }
  }
  return names.map((name) => {
    const found = all.find((contender) => contender.name === name);
    if (found) return found;
    throw new Error(`--settings: ${name} is none of ${all.map((one) => one.name).join(", ")}`);
  });
}

function canShare(): boolean {
  const [program, ...words] = PAGEFOLD;
  const { stdout } = spawnSync(program, [...words, "tunnel", "source", "--help"], {
    encoding: "utf8",
  });
  return stdout.includes("--rack-index");
}
