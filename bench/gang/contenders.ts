// The ways a gang can move: what QEMU offers by itself, and the tunnel.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { MoveOptions } from "../../scripts/vm/move.ts";

export interface Contender {
  name: string;
  options: MoveOptions;
}

const CLI = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** All ways there are, or those with the given names, in that order. */
export function contenders(
  names: readonly string[] | undefined,
  tunnelWords: readonly string[],
): Contender[] {
  const all: Contender[] = [
    { name: "default", options: { via: "tcp" } },
    { name: "xbzrle", options: { via: "tcp", capabilities: ["xbzrle"] } },
    {
      name: "multifd-zstd",
      options: {
        via: "tcp",
        capabilities: ["multifd"],
        parameters: { "multifd-compression": "zstd" },
      },
    },
  ];
  // QEMU does not encrypt either.
  const words = ["--insecure", ...tunnelWords];
  if (hasTunnel()) {
    all.push({ name: "pagefold", options: { via: { words } } });
    for (const level of ["store", "fast", "balanced"]) {
      const sourceWords = ["--level", level];
      all.push({ name: `pagefold-${level}`, options: { via: { words, sourceWords } } });
    }
  }
  if (!names) return all.filter(({ name }) => !name.startsWith("pagefold-"));
  return names.map((name) => {
    const found = all.find((contender) => contender.name === name);
    if (found) return found;
    throw new Error(`--settings: ${name} is none of ${all.map((one) => one.name).join(", ")}`);
  });
}

function hasTunnel(): boolean {
  const { stdout } = spawnSync(process.execPath, [CLI, "--help"], { encoding: "utf8" });
  return /^\s*tunnel\b/m.test(stdout);
}
