// What a failure is to the outside: one line on stderr that names the thing and the number, and an
// exit code. Nothing here decides what went wrong.
import { printable } from "./format.ts";
import { Interruption } from "./interrupt.ts";
import { ClosedOutput, note } from "./streams.ts";

export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  mismatch: 3,
  doubt: 4,
  closedOutput: 141,
} as const;

/** What they mean, for the help and the manual page. */
export const EXIT_STATUS: readonly (readonly [codes: string, meaning: string])[] = [
  ["0", "done"],
  ["1", "failed: a file, a device, a process, a key"],
  ["2", "the words make no sense"],
  ["3", "content is not what its checksum says, or some had to be left out"],
  ["4", "a guest was handed over, and nobody knows whether it arrived"],
  ["130, 143", "ended by SIGINT, SIGTERM"],
  ["141", "nobody reads stdout any more"],
];

/** Words on the command line that make no sense. */
export class UsageError extends Error {
  readonly code = "USAGE";
}

/** The work was done and its finding is bad: exit code 3. */
export class Finding extends Error {
  readonly code = "MISMATCH";
}

/** A guest was handed over and did not answer: exit code 4. */
export class InDoubt extends Error {
  readonly code = "DOUBT";
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof Interruption) return error.exitCode;
  if (error instanceof ClosedOutput) return EXIT.closedOutput;
  switch (codeOf(error)) {
    case "USAGE":
      return EXIT.usage;
    case "MISMATCH":
    case "DAMAGED":
      return EXIT.mismatch;
    case "DOUBT":
      return EXIT.doubt;
    default:
      return EXIT.failed;
  }
}

/** Which verbs the words of a failure began with: their help is worth a look. */
const VERBS_OF = new WeakMap<object, readonly string[]>();

/** Notes them, and returns the same failure. */
export function withVerbs(error: unknown, verbs: readonly string[]): unknown {
  if (error instanceof Error) VERBS_OF.set(error, verbs);
  return error;
}

/** Writes the line. A closed stdout is no failure to tell of. */
export function report(error: unknown, words: readonly string[]): void {
  if (error instanceof ClosedOutput) return;
  const message = messageOf(error);
  const code = codeOf(error);
  if (wantsJsonLines(words)) {
    note(JSON.stringify({ schema: "pagefold/error/1", code: code ?? "FAILED", message }));
  } else {
    note(`pagefold: ${message}`);
    const verbs = VERBS_OF.get(error as Error) ?? [];
    if (code === "USAGE") note(`Try '${["pagefold", ...verbs].join(" ")} --help'.`);
  }
  if (process.env.PAGEFOLD_DEBUG === "1" && error instanceof Error) note(error.stack ?? "");
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return printable(String(error));
  // commander's messages begin so, and may suggest another word on a second line; a worker's carry
  // the stack of the worker.
  const text = error.message
    .replace(/^error: /, "")
    .replace(/\n(?=\()/g, " ")
    .replace(/\n\s+at .*/s, "");
  const replaceable = codeOf(error) === "OUTPUT" && /: (file exists|exists already)$/.test(text);
  return printable(replaceable ? `${text} (use -f to replace it)` : text);
}

/** The stable code of a failure, if it has one. commander's errors are errors of usage. */
function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code } = error as NodeJS.ErrnoException;
  if (code?.startsWith("commander.")) return "USAGE";
  return code;
}

/** Before the words could be understood, or although they could not. */
function wantsJsonLines(words: readonly string[]): boolean {
  return words.some((word, i) => `${word}=${words[i + 1]}`.startsWith("--progress=json"));
}
