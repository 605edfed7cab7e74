// Names of images: what an input is called inside an archive, and which names may become files
// again. Names come from strangers' archives, so every rule is checked when unpacking.
import { lstat } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { PagefoldError, reasonOf } from "../core/errors.ts";
import { faultOfName } from "../wire/imagehead.ts";
import type { Compression } from "./opened.ts";

/** What `gzip -d` and its like take away. */
const ENDINGS: Partial<Record<Compression, string>> = { gzip: ".gz", lz4: ".lz4", zstd: ".zst" };

/**
 * What images are called in an archive: each path relative to the deepest directory common to all;
 * a single one is its last part. A path that is in `compressed` loses the endings of what it is
 * compressed with, from outside to inside, because what is packed is the content of the file.
 */
export function imageNames(
  paths: readonly string[],
  compressed: ReadonlyMap<string, readonly Compression[]> = new Map(),
): string[] {
  const full = paths.map((path) => resolve(path));
  const root = commonDirectory(full.map((path) => dirname(path)));
  const owners = new Map<string, string>();
  return full.map((path, i) => {
    const whole = full.length === 1 ? basename(path) : relative(root, path);
    const name = (compressed.get(paths[i]) ?? []).reduce(withoutEnding, whole);
    assertSafeName(name);
    const other = owners.get(name);
    if (other !== undefined) {
      throw new PagefoldError("USAGE", `${other} and ${paths[i]} are both the image ${name}`);
    }
    owners.set(name, paths[i]);
    return name;
  });
}

/** A file that is called nothing but ".gz" keeps its name. */
function withoutEnding(name: string, compression: Compression): string {
  const ending = ENDINGS[compression];
  if (ending === undefined || !name.endsWith(ending)) return name;
  const short = name.slice(0, -ending.length);
  return short === "" || short.endsWith("/") ? name : short;
}

function commonDirectory(directories: readonly string[]): string {
  let common = directories[0]?.split("/") ?? [];
  for (const directory of directories) {
    const parts = directory.split("/");
    let same = 0;
    while (same < common.length && common[same] === parts[same]) same++;
    common = common.slice(0, same);
  }
  return `${common.join("/")}/`;
}

/** Throws RANGE unless `name` is a relative path that stays below where it is put. */
export function assertSafeName(name: string): void {
  const fault = faultOf(name);
  if (fault !== undefined) {
    throw new PagefoldError("RANGE", `image name ${quoted(name)} is refused: it ${fault}`);
  }
}

/** What the format refuses, and besides what would steer a terminal or is no file name at all. */
function faultOf(name: string): string | undefined {
  if (/\p{Cc}/u.test(name)) return "contains a control character";
  if (/\p{Cs}/u.test(name)) return "is not valid Unicode";
  return faultOfName(name);
}

/** For messages: control characters escaped, and no longer than a line. */
function quoted(name: string): string {
  const text = JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name);
  return text.replace(/\p{Cc}/gu, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/**
 * The path of `name` below `directory`. Refuses (OUTPUT) a name that leads through a symbolic link
 * or a file, or is a symbolic link itself; `directory` may be one, for its owner has named it. The
 * check is worth something only while nobody else can write into `directory`.
 */
export async function resolveInside(directory: string, name: string): Promise<string> {
  assertSafeName(name);
  const parts = name.split("/");
  let path = directory;
  for (const [i, part] of parts.entries()) {
    path = join(path, part);
    const kind = await kindAt(path);
    if (kind === "nothing") break;
    if (kind === "link") {
      throw new PagefoldError("OUTPUT", `${path}: is a symbolic link; ${name} is not written`);
    }
    if (kind === "other" && i < parts.length - 1) {
      throw new PagefoldError("OUTPUT", `${path}: is not a directory; ${name} is not written`);
    }
  }
  return join(directory, name);
}

async function kindAt(path: string): Promise<"nothing" | "link" | "directory" | "other"> {
  try {
    const stats = await lstat(path);
    if (stats.isSymbolicLink()) return "link";
    return stats.isDirectory() ? "directory" : "other";
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "nothing";
    throw new PagefoldError("OUTPUT", `${path}: ${reasonOf(error)}`, { cause: error });
  }
}
