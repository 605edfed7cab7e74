// What goes in: images named on the command line, in a list or coming through stdin, and archives.

import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { type ArchiveInput, imagesAt, type PackInput, reasonOf } from "../index.ts";
import { UsageError } from "./failure.ts";
import { interruptible, isTerminal, stdinBytes } from "./streams.ts";

/** What `pack` and `append` say about their inputs. */
export interface InputOptions {
  name?: string;
  filesFrom?: string;
  null?: boolean;
  note?: Record<string, string>;
  /** False when images are to be taken as they are. */
  decompress?: boolean;
}

const STDIN_NAME = "stdin";

/** Paths from the command line and from the list, in this order. */
export async function listedPaths(
  words: readonly string[],
  { filesFrom, null: byNul = false }: Pick<InputOptions, "filesFrom" | "null">,
): Promise<string[]> {
  if (byNul && filesFrom === undefined) throw new UsageError("-0 needs --files-from");
  if (filesFrom === undefined) return [...words];
  if (filesFrom === "-" && words.includes("-")) {
    throw new UsageError("stdin cannot be both an image and the list of files");
  }
  const text = await readText(filesFrom);
  return [...words, ...text.split(byNul ? "\0" : /\r?\n/).filter((path) => path !== "")];
}

/** The images to pack; "-" is the bytes of stdin. */
export async function packInputs(
  words: readonly string[],
  options: InputOptions,
): Promise<PackInput[]> {
  const paths = await listedPaths(words, options);
  if (paths.length === 0) throw new UsageError("no images were given");
  const streams = paths.filter((path) => path === "-").length;
  if (streams > 1) throw new UsageError("stdin can be only one image");
  if (streams === 0 && options.name !== undefined) {
    throw new UsageError("--name names the image from stdin, and - is not among the inputs");
  }
  if (streams > 0 && isTerminal("stdin")) throw new UsageError("stdin is a terminal, not an image");
  const files = paths.filter((path) => path !== "-");
  const notes = options.note === undefined ? {} : { notes: options.note };
  const { images } = await imagesAt(files, options);
  const inputs = images.map((image): PackInput => ({ ...image, ...notes }));
  if (streams === 0) return inputs;
  const name = options.name ?? STDIN_NAME;
  if (images.some((image) => image.name === name)) {
    throw new UsageError(`stdin and a file are both the image ${name}`);
  }
  // Between those that stand before and behind it, of which folders are several.
  const before = await imagesAt(paths.slice(0, paths.indexOf("-")), { decompress: false });
  inputs.splice(before.images.length, 0, { name, bytes: stdinBytes(), ...notes });
  return inputs;
}

/** An archive to be read forwards; pipes and "-" have no other way. */
export async function archiveInput(path: string): Promise<ArchiveInput> {
  if (path === "-") {
    if (isTerminal("stdin")) throw new UsageError("stdin is a terminal, not an archive");
    return { bytes: stdinBytes() };
  }
  const stats = await stat(path).catch(() => undefined);
  if (stats?.isFIFO()) return { bytes: interruptible(createReadStream(path)) };
  return { path };
}

/** The text of a small file, or of stdin. */
export async function readText(path: string): Promise<string> {
  if (path === "-") {
    const pieces: Uint8Array[] = [];
    for await (const bytes of stdinBytes()) pieces.push(bytes);
    return Buffer.concat(pieces).toString("utf8");
  }
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new Error(`${path}: ${reasonOf(error)}`, { cause: error });
  }
}

/** For verbs that jump about in an archive. */
export function refuseStdin(path: string, verb: string): void {
  if (path === "-") throw new UsageError(`${verb} needs a file: an index is read from its end`);
}
