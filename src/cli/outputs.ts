// Where archives go: a new file, stdout, or a device or fifo, which must not be replaced by a file.
import { open, stat } from "node:fs/promises";
import { type PackInput, type PackOutput, PagefoldError, reasonOf } from "../index.ts";
import { UsageError } from "./failure.ts";
import { isTerminal, print } from "./streams.ts";

export interface OpenOutput {
  to: PackOutput;
  /** For messages and reports; undefined for stdout. */
  path: string | undefined;
  close(): Promise<void>;
}

const nothing = async () => undefined;

/** Nothing is created here but by devices; a file appears when what goes to it is complete. */
export async function openOutput(
  path: string,
  force = false,
  what = "an archive",
): Promise<OpenOutput> {
  if (path === "-") {
    refuseTerminal(isTerminal("stdout"), what);
    return { to: { write: print }, path: undefined, close: nothing };
  }
  const stats = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw new PagefoldError("OUTPUT", `${path}: ${reasonOf(error)}`, { cause: error });
  });
  if (stats?.isDirectory()) throw new PagefoldError("OUTPUT", `${path}: is a directory`);
  if (stats === undefined || stats.isFile()) {
    if (stats && !force) {
      throw new PagefoldError("OUTPUT", `${path}: file exists`);
    }
    return { to: { path, force }, path, close: nothing };
  }
  return openStream(path);
}

async function openStream(path: string): Promise<OpenOutput> {
  const failed = (error: unknown) =>
    new PagefoldError("OUTPUT", `${path}: ${reasonOf(error)}`, { cause: error });
  const handle = await open(path, "w").catch((error) => {
    throw failed(error);
  });
  const write = async (bytes: Uint8Array) => {
    try {
      for (let at = 0; at < bytes.length; ) at += (await handle.write(bytes, at)).bytesWritten;
    } catch (error) {
      throw failed(error);
    }
  };
  return { to: { write }, path, close: () => handle.close() };
}

/** `what` is "an archive", "an image" …: bytes that make a mess of a screen. */
export function refuseTerminal(isTerminal: boolean, what: string): void {
  if (isTerminal) {
    throw new UsageError(`${what} is not written to a terminal: redirect stdout or use a file`);
  }
}

/** Refuses an output that is one of the inputs, under whatever name: -f would destroy it. */
export async function refuseInputs(path: string | undefined, inputs: readonly PackInput[]) {
  const own = path === undefined ? undefined : await stat(path).catch(() => undefined);
  if (!own?.isFile()) return;
  for (const input of inputs) {
    if (!("path" in input)) continue;
    const other = await stat(input.path).catch(() => undefined);
    if (other?.ino === own.ino && other.dev === own.dev) {
      throw new UsageError(`${path}: is both an input and the output`);
    }
  }
}
