// What a peer has to answer so that it can be measured beside the others. It runs nothing.
import type { Command } from "../process.ts";

/** Images that are packed together. */
export interface ImageSet {
  name: string;
  images: readonly string[];
  /** The bytes of all images in one file: for tools that pack one file. */
  joined: string;
  byteLength: number;
}

/** Where a tool works: a set, the threads it may use, and a folder of its own, empty at first. */
export interface Job {
  set: ImageSet;
  threads: number;
  folder: string;
}

export interface Tool {
  name: string;
  /** Keeps a repository of files, and needs one that is empty before each run. */
  makeRepository?(job: Job): Command;
  pack(job: Job): Command;
  /** The file or folder that `pack` made. */
  packed(job: Job): string;
  /** Writes the content back to `restoredFolder`. */
  unpack(job: Job): Command;
  /** What `unpack` wrote, beside what it must be equal to. */
  restored(job: Job): [restored: string, original: string][];
  /** Writes the page at `offset` of the image with this number to stdout. */
  page(job: Job, image: number, offset: number): Command;
}

export function restoredFolder({ folder }: Job): string {
  return `${folder}/restored`;
}

/** A line for the shell with words as "$1", "$2", …, so that nothing needs quotes. */
export function shell(line: string, words: readonly string[]): Command {
  return { program: "sh", words: ["-c", line, "sh", ...words] };
}

/** Takes the page at "$1" out of a stream on stdin. */
export const PAGE_OF_STREAM = "tail -c +$(($1 + 1)) | head -c 4096";
