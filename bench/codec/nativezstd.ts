// The C library by the benchmark of the `zstd` command, in pieces of the same size. It reports the
// best of its runs; so it is our best run that stands against it.
import { spawnSync } from "node:child_process";
import type { CodecSpeed } from "./pieces.ts";

const PROGRAM = "zstd";

const LEVELS = [1, 2, 3];

/** Runs of at least `seconds` each way; empty when there is no `zstd`. */
export function measureNativeZstd(path: string, pieceBytes: number, seconds: number): CodecSpeed[] {
  return LEVELS.flatMap((level) => {
    const words = [`-b${level}`, `-i${seconds}`, `-B${pieceBytes}`, path];
    const { status, stdout, stderr, error } = spawnSync(PROGRAM, words, { encoding: "utf8" });
    if (error && "code" in error && error.code === "ENOENT") return [];
    // The last of the lines that overwrite each other, "… (x3.002),  320.1 MB/s,  980.4 MB/s".
    const pattern = /\(x([\d.]+)\), *([\d.]+) MB\/s, *([\d.]+) MB\/s/g;
    const found = [...`${stdout}${stderr}`.matchAll(pattern)].pop();
    if (status !== 0 || !found)
      throw new Error(`${PROGRAM} ${words.join(" ")}: ${stderr || error}`);
    const [ratio, encodeMegabytes, decodeMegabytes] = found.slice(1).map(Number);
    return [{ name: `native zstd -${level}`, ratio, encodeMegabytes, decodeMegabytes }];
  });
}
