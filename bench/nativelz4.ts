// The C library by the benchmark of its own command, on the same pages in pieces of the same size.
// That reports the best of its runs; so it is our best run that stands against it.
import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface NativeSpeed {
  name: string;
  /** The bench of ours that does the same. */
  kernel: string;
  mibPerSecond: number;
  /** Of the compressor. */
  ratio?: number;
}

const PROGRAM = "lz4";
const UNITS = [
  { unitBytes: 4096, label: "4 KiB pages" },
  { unitBytes: 65536, label: "64 KiB clusters" },
];

/** Runs of at least `seconds` each; empty when there is no `lz4`. */
export function measureNativeLz4(
  pages: Uint8Array,
  folder: string,
  seconds: number,
): NativeSpeed[] {
  const path = join(folder, "pages");
  writeFileSync(path, pages);
  try {
    return UNITS.flatMap(({ unitBytes, label }) => benchmark(path, seconds, unitBytes, label));
  } finally {
    rmSync(path);
  }
}

function benchmark(path: string, seconds: number, unitBytes: number, label: string): NativeSpeed[] {
  const words = ["-b1", `-i${seconds}`, `-B${unitBytes}`, path];
  const { status, stdout, stderr, error } = spawnSync(PROGRAM, words, { encoding: "utf8" });
  if (error && "code" in error && error.code === "ENOENT") return [];
  // The last of the lines that overwrite each other, "… (2.458),1207.5 MB/s ,3185.1 MB/s".
  const found = [
    ...`${stdout}${stderr}`.matchAll(/\(([\d.]+)\), *([\d.]+) MB\/s *, *([\d.]+) MB\/s/g),
  ].pop();
  if (status !== 0 || !found) throw new Error(`${PROGRAM} ${words.join(" ")}: ${stderr || error}`);
  const [ratio, compress, decompress] = found.slice(1).map(Number);
  const toMib = (megabytes: number) => (megabytes * 1e6) / 1048576;
  return [
    {
      name: `native liblz4 compress, ${label}`,
      kernel: `lz4Compress, ${label}`,
      mibPerSecond: toMib(compress),
      ratio,
    },
    {
      name: `native liblz4 decompress, ${label}`,
      kernel: `lz4Decompress, ${label}`,
      mibPerSecond: toMib(decompress),
    },
  ];
}
