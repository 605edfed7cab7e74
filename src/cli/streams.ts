// The three standard streams of the process. Writes to stdout wait until they are taken, so that
// a slow reader slows the work and not the memory.

import { addAbortSignal, type Readable } from "node:stream";
import { isatty } from "node:tty";
import { interrupt } from "./interrupt.ts";

/** Nobody reads stdout any more (`pagefold list A.pfa | head -1`). */
export class ClosedOutput extends Error {}

/** Failed writes are told by their callbacks; without a listener the event ends the process. */
export function listenToStreams(): void {
  process.stdout.on("error", () => undefined);
  process.stderr.on("error", () => undefined);
}

/** Resolves when the bytes have been handed to the kernel. */
export async function print(content: string | Uint8Array): Promise<void> {
  try {
    await abortable(
      new Promise<void>((resolve, reject) => {
        process.stdout.write(content, (error) => (error ? reject(error) : resolve()));
      }),
    );
  } catch (error) {
    if (interrupt.signal.aborted) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EPIPE" || code === "ERR_STREAM_DESTROYED") throw new ClosedOutput();
    // Loaded late: --version prints without the library.
    const { PagefoldError, reasonOf } = await import("../index.ts");
    throw new PagefoldError("OUTPUT", `stdout: ${reasonOf(error)}`, { cause: error });
  }
}

/** One line on stderr, not waited for. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Resolves when every line of `note` is out, or cannot be. */
export async function flushStderr(): Promise<void> {
  await new Promise<void>((resolve) => {
    process.stderr.write("", () => resolve());
  });
}

/** The bytes of stdin; ends with the reason of the interrupt when there is one. */
export function stdinBytes(): AsyncIterable<Uint8Array> {
  return interruptible(process.stdin);
}

/** A stream that ends with the interrupt. Who iterates is told; nobody else has to listen. */
export function interruptible(stream: Readable): Readable {
  // Without a listener an interrupt that comes before the first read would end the process.
  stream.on("error", () => undefined);
  return addAbortSignal(interrupt.signal, stream);
}

export function isTerminal(stream: "stdin" | "stdout" | "stderr"): boolean {
  return isatty(["stdin", "stdout", "stderr"].indexOf(stream));
}

/** A reader that never reads must not keep a signal from ending us. */
async function abortable(work: Promise<void>): Promise<void> {
  const { signal } = interrupt;
  signal.throwIfAborted();
  let onAbort: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
