// Runs the built command line as a user would, and makes small images to run it on.
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished } from "vitest";
import { seededRandom } from "./random.ts";

export const CLI = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const PAGE_BYTES = 4096;

export interface Outcome {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: Buffer;
  stderr: string;
}

export interface Surroundings {
  cwd: string;
  stdin?: Uint8Array;
  env?: NodeJS.ProcessEnv;
  uid?: number;
}

/** Starts `pagefold WORDS…`; killed when the test ends. */
export function startCli(words: readonly string[], options: SpawnOptions): ChildProcess {
  if (!existsSync(CLI)) throw new Error(`${CLI} is not there: npm run build`);
  const child = spawn(process.execPath, [CLI, ...words], options);
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  return child;
}

/** Runs `pagefold WORDS…` to its end. */
export async function pagefold(
  words: readonly string[],
  { cwd, stdin, env, uid }: Surroundings,
): Promise<Outcome> {
  const child = startCli(words, {
    cwd,
    env: { ...process.env, ...env },
    ...(uid === undefined ? {} : { uid }),
    stdio: [stdin ? "pipe" : "ignore", "pipe", "pipe"],
  });
  child.stdin?.on("error", () => undefined);
  child.stdin?.end(stdin);
  return outcomeOf(child);
}

export async function outcomeOf(child: ChildProcess): Promise<Outcome> {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout?.on("data", (bytes: Buffer) => stdout.push(bytes));
  child.stderr?.on("data", (bytes: Buffer) => stderr.push(bytes));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      const errors = Buffer.concat(stderr).toString("utf8");
      resolve({ code, signal, stdout: Buffer.concat(stdout), stderr: errors });
    });
  });
}

/** Runs it and demands exit code 0; resolves with stdout as text. */
export async function succeed(words: readonly string[], cwd: string): Promise<string> {
  const { code, stdout, stderr } = await pagefold(words, { cwd });
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  return stdout.toString("utf8");
}

/** Runs it and demands failure with one line on stderr that matches. */
export async function fail(
  words: readonly string[],
  surroundings: Surroundings,
  expected: { code: number; line: RegExp },
): Promise<void> {
  const { code, stdout, stderr } = await pagefold(words, surroundings);
  const lines = stderr.split("\n").slice(0, -1);
  if (expected.code === 2) expect(lines.pop()).toMatch(/^Try 'pagefold( [a-z]+)* --help'\.$/);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^pagefold: /);
  expect(lines[0]).toMatch(expected.line);
  expect(code).toBe(expected.code);
  expect(stdout).toHaveLength(0);
}

/**
 * Bytes of an image: pages of zeros, of one byte, of text, of noise, and copies of earlier ones.
 * Images of different seeds share the pages of text.
 */
export function imageBytes(seed: number, pageCount: number, tailBytes = 0): Buffer {
  const random = seededRandom(seed);
  const bytes = Buffer.alloc(pageCount * PAGE_BYTES + tailBytes);
  for (let page = 0; page < pageCount; page++) {
    const into = bytes.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
    const kind = page % 8;
    if (kind === 1) into.fill(0xa5);
    else if (kind === 2 || kind === 3) into.fill(`page ${page} of every image, `);
    else if (kind === 4 && page > 8) into.set(bytes.subarray(5 * PAGE_BYTES, 6 * PAGE_BYTES));
    else if (kind >= 4) into.set(random.bytes(PAGE_BYTES));
  }
  bytes.subarray(pageCount * PAGE_BYTES).fill("tail");
  return bytes;
}

/** Writes files below `folder`, with the directories they need. */
export function writeFiles(folder: string, files: Record<string, Uint8Array | string>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
}
