// --key-file: the key of sealed archives, read from a file and kept where nothing prints it.
import { createSecretKey, type KeyObject } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { Option } from "commander";
import { type BaseInput, isSealed, PagefoldError, reasonOf } from "../index.ts";
import { printable } from "./format.ts";
import type { BaseOption } from "./options.ts";
import { note } from "./streams.ts";

/** What `keyOption` yields. */
export interface KeyOption {
  keyFile?: string;
}

const KEY_BYTES = 32;
/** Hexadecimal digits, and the end of their line. */
const MAX_FILE_BYTES = 2 * KEY_BYTES + 2;
const HEX_LINE = /^[0-9a-f]{64}(\r?\n)?$/i;

export function keyOption(text = "key of a sealed archive: 32 bytes, or 64 hex digits"): Option {
  return new Option("--key-file <file>", text);
}

/** `key` and `base` of the library; the key is also that of an archive with the base. */
export async function keyed({ keyFile, base }: KeyOption & BaseOption): Promise<{
  key: KeyObject | undefined;
  base: BaseInput | undefined;
}> {
  const key = await readKey(keyFile);
  const isNeeded = key && base && "archive" in base && (await isSealed(base.archive));
  return { key, base: isNeeded ? { ...base, key } : base };
}

/** The key in a file, if one was named. KEY when there is none in it. */
export async function readKey(path: string | undefined): Promise<KeyObject | undefined> {
  if (path === undefined) return undefined;
  const file = Buffer.alloc(MAX_FILE_BYTES + 1);
  const bytes = Buffer.alloc(KEY_BYTES);
  try {
    const byteLength = await readStart(path, file);
    const content = file.subarray(0, byteLength);
    if (byteLength === KEY_BYTES) content.copy(bytes);
    else if (HEX_LINE.test(content.toString("latin1"))) bytes.write(content.toString(), "hex");
    else {
      const found = byteLength > MAX_FILE_BYTES ? "more" : String(byteLength);
      const wanted = `a key is ${KEY_BYTES} bytes, or ${2 * KEY_BYTES} hexadecimal digits`;
      throw new PagefoldError("KEY", `${path}: ${wanted}, and this is ${found} bytes`);
    }
    return createSecretKey(bytes);
  } finally {
    file.fill(0);
    bytes.fill(0);
  }
}

/** Fills `into` as far as the file goes; returns how far. */
async function readStart(path: string, into: Buffer): Promise<number> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path);
    const stats = await handle.stat();
    if (stats.isFile() && (stats.mode & 0o077) !== 0) {
      const mode = (stats.mode & 0o777).toString(8).padStart(4, "0");
      note(`pagefold: warning: ${printable(path)}: others have rights to this key (mode ${mode})`);
    }
    let filled = 0;
    for (let got = -1; got !== 0 && filled < into.length; filled += got) {
      got = (await handle.read(into, filled, into.length - filled, null)).bytesRead;
    }
    return filled;
  } catch (error) {
    throw new PagefoldError("INPUT", `${path}: ${reasonOf(error)}`, { cause: error });
  } finally {
    await handle?.close();
  }
}
