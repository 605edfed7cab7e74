// The difference of two files, both read: by the library with an engine that is open, and by whole
// processes: `pagefold diff`, and tools that do the same.
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Engine, openEngine } from "pagefold";
import { type Command, runToEnd } from "../process.ts";
import type { Contender, Epoch } from "./epoch.ts";

const CLI = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
/** zstd sees no farther unless it is told to. */
const LEAST_WINDOW_BITS = 27;

export const DIFF_LIBRARY = "diff, library";
export const DIFF_PROCESS = "pagefold diff -o";
export const DIFF_LOOK = "pagefold diff, numbers only";
export const ZSTD = "zstd -1 --patch-from";
export const XDELTA = "xdelta3 -1";

export interface Files {
  readonly contenders: readonly Contender[];
  /** First line of what each tool says of its version. */
  readonly versions: Record<string, string>;
  /** Compares an image with itself, with the open engine. */
  compareWithItself(path: string): Promise<void>;
  close(): Promise<void>;
}

/** Tools that are not installed are left out. */
export async function compareFiles(folder: string, threads: number): Promise<Files> {
  const engine = await openEngine({ threads });
  const versions: Record<string, string> = {};
  const contenders = [
    library(engine, folder),
    ...pagefolds(folder, threads),
    ...(isInstalled("zstd", "--version", versions) ? [zstd(folder, threads)] : []),
    ...(isInstalled("xdelta3", "-V", versions) ? [xdelta(folder)] : []),
  ];
  return {
    contenders,
    versions,
    async compareWithItself(path) {
      await engine.pack([{ name: "same", path }], NOWHERE, { base: { path } });
    },
    close: () => engine.close(),
  };
}

const NOWHERE = { write: async () => undefined };

function isInstalled(program: string, word: string, versions: Record<string, string>): boolean {
  const { status, stdout, stderr } = spawnSync(program, [word], { encoding: "utf8" });
  if (status !== 0) return false;
  versions[program] = `${stdout}${stderr}`.trim().split("\n")[0];
  return true;
}

function library(engine: Engine, folder: string): Contender {
  const path = join(folder, "library.pfa");
  return {
    name: DIFF_LIBRARY,
    way: "two files",
    async run({ older, newer }) {
      const inputs = [{ name: basename(newer), path: newer }];
      const { outputBytes } = await engine.pack(
        inputs,
        { path, force: true },
        { base: { path: older } },
      );
      return outputBytes;
    },
    check: (epoch) => checkArchive(path, epoch, folder),
  };
}

function pagefolds(folder: string, threads: number): Contender[] {
  const path = join(folder, "process.pfa");
  const words = ({ older, newer }: Epoch) => [CLI, "diff", "-q", "-T", `${threads}`, older, newer];
  const run = (command: string[]) => runToEnd({ program: process.execPath, words: command });
  return [
    {
      name: DIFF_PROCESS,
      way: "process",
      async run(epoch) {
        await run([...words(epoch), "-f", "-o", path]);
        return statSync(path).size;
      },
      check: (epoch) => checkArchive(path, epoch, folder),
    },
    {
      name: DIFF_LOOK,
      way: "process",
      async run(epoch) {
        await run(words(epoch));
        return 1;
      },
      check() {
        // It writes nothing.
      },
    },
  ];
}

async function checkArchive(path: string, epoch: Epoch, folder: string): Promise<void> {
  const restored = join(folder, "restored");
  mkdirSync(restored);
  const words = [CLI, "unpack", "-q", "--base", epoch.older, path, "-C", restored];
  await runToEnd({ program: process.execPath, words });
  await checkFile(join(restored, basename(epoch.newer)), epoch);
  rmSync(restored, { recursive: true });
}

/** Throws unless the file is the newer image; removes it. */
async function checkFile(path: string, { newer }: Epoch): Promise<void> {
  await runToEnd({ program: "cmp", words: [path, newer] });
  rmSync(path);
}

function zstd(folder: string, threads: number): Contender {
  const [path, restored] = [join(folder, "patch.zst"), join(folder, "restored.raw")];
  const reach = ({ older, byteLength }: Epoch) => {
    const bits = Math.max(LEAST_WINDOW_BITS, Math.ceil(Math.log2(byteLength)));
    return ["-q", "-f", `--long=${bits}`, `--patch-from=${older}`];
  };
  return tool(ZSTD, path, restored, {
    encode: (epoch) => ({
      program: "zstd",
      words: ["-1", `-T${threads}`, ...reach(epoch), epoch.newer, "-o", path],
    }),
    decode: (epoch) => ({
      program: "zstd",
      words: ["-d", "-M2048MB", ...reach(epoch), path, "-o", restored],
    }),
  });
}

function xdelta(folder: string): Contender {
  const [path, restored] = [join(folder, "patch.xdelta"), join(folder, "restored.raw")];
  return tool(XDELTA, path, restored, {
    encode: ({ older, newer }) => ({
      program: "xdelta3",
      words: ["-q", "-f", "-e", "-1", "-s", older, newer, path],
    }),
    decode: ({ older }) => ({
      program: "xdelta3",
      words: ["-q", "-f", "-d", "-s", older, path, restored],
    }),
  });
}

function tool(
  name: string,
  path: string,
  restored: string,
  commands: { encode(epoch: Epoch): Command; decode(epoch: Epoch): Command },
): Contender {
  return {
    name,
    way: "process",
    async run(epoch) {
      await runToEnd(commands.encode(epoch));
      return statSync(path).size;
    },
    async check(epoch) {
      await runToEnd(commands.decode(epoch));
      await checkFile(restored, epoch);
    },
  };
}
