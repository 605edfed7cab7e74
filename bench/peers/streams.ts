// cat, pagefold, and the compressors of one stream. Those get all images as one file, which spares
// them a pipe; one row pays for the pipe that somebody with several images would use.
import { statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { imageNames } from "pagefold";
import type { Command } from "../process.ts";
import { type Job, PAGE_OF_STREAM, restoredFolder, shell, type Tool } from "./tool.ts";

const CLI = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

const archiveOf = ({ folder }: Job) => join(folder, "packed");
const joinedCopyOf = (job: Job) => join(restoredFolder(job), "joined");

export const cat: Tool = {
  name: "cat",
  packed: archiveOf,
  pack: (job) => shell('out=$1; shift; cat "$@" > "$out"', [archiveOf(job), ...job.set.images]),
  unpack: (job) => shell('cat "$1" > "$2"', [archiveOf(job), joinedCopyOf(job)]),
  restored: (job) => [[joinedCopyOf(job), job.set.joined]],
  page: ({ set }, image, offset) => ({
    program: "dd",
    words: [`if=${set.images[image]}`, "bs=4096", `skip=${offset / 4096}`, "count=1"],
  }),
};

const pagefoldWith = (...options: readonly string[]): Tool => ({
  name: ["pagefold pack", ...options].join(" "),
  packed: archiveOf,
  pack: (job) => ({
    program: process.execPath,
    words: [
      ...[CLI, "pack", "-q", "-T", `${job.threads}`, ...options],
      ...["-o", archiveOf(job), ...job.set.images],
    ],
  }),
  unpack: (job) => ({
    program: process.execPath,
    words: [CLI, "unpack", "-q", "-T", `${job.threads}`, archiveOf(job), "-C", restoredFolder(job)],
  }),
  restored: (job) =>
    imageNames(job.set.images).map((name, i) => [
      join(restoredFolder(job), name),
      job.set.images[i],
    ]),
  page(job, image, offset) {
    const name = imageNames(job.set.images)[image];
    const range = ["--offset", `${offset}`, "--length", "4096"];
    return { program: process.execPath, words: [CLI, "cat", archiveOf(job), name, ...range] };
  },
});

/** The default level first: it is what the others are compared with. */
export const pagefolds: readonly Tool[] = [
  pagefoldWith(),
  pagefoldWith("--level", "fast"),
  pagefoldWith("--level", "small"),
];

/** Reads the images to their end and keeps nothing. */
export function scan(images: readonly string[], threads: number): Command {
  const words = [CLI, "inspect", "-q", "-T", `${threads}`, ...images];
  return { program: process.execPath, words };
}

/** The place of an image's bytes in the joined file. */
function joinedOffset({ set }: Job, image: number, offset: number): number {
  return set.images.slice(0, image).reduce((sum, path) => sum + statSync(path).size, offset);
}

function compressor(
  name: string,
  program: string,
  packWords: (job: Job) => string[],
  unpackWords: readonly string[],
): Tool {
  const target = (path: string) => (program === "zstd" ? ["-o", path] : [path]);
  return {
    name,
    packed: archiveOf,
    pack: (job) => ({
      program,
      words: ["-q", "-f", ...packWords(job), job.set.joined, ...target(archiveOf(job))],
    }),
    unpack: (job) => ({
      program,
      words: ["-q", "-f", "-d", ...unpackWords, archiveOf(job), ...target(joinedCopyOf(job))],
    }),
    restored: (job) => [[joinedCopyOf(job), job.set.joined]],
    page: (job, image, offset) =>
      shell(`file=$2; ${program} -q -dc ${unpackWords.join(" ")} "$file" | ${PAGE_OF_STREAM}`, [
        `${joinedOffset(job, image, offset)}`,
        archiveOf(job),
      ]),
  };
}

const threadsOf = ({ threads }: Job) => `-T${threads}`;
const zstd1 = compressor("zstd -1", "zstd", (job) => ["-1", threadsOf(job)], []);

export const zstdPipe: Tool = {
  ...zstd1,
  name: "cat, piped to zstd -1",
  pack: (job) =>
    shell('threads=$1 out=$2; shift 2; cat "$@" | zstd -q -f -1 "$threads" -o "$out"', [
      threadsOf(job),
      archiveOf(job),
      ...job.set.images,
    ]),
};

export const compressors: { program: string; tools: Tool[] }[] = [
  {
    program: "zstd",
    tools: [
      zstd1,
      compressor("zstd -3 --long=30", "zstd", (job) => ["-3", threadsOf(job), "--long=30"], [
        "--long=30",
      ]),
      compressor("zstd -9 --long=30", "zstd", (job) => ["-9", threadsOf(job), "--long=30"], [
        "--long=30",
      ]),
    ],
  },
  { program: "lz4", tools: [compressor("lz4 -1", "lz4", () => ["-1"], [])] },
];
