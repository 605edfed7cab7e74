// Words of the command line into values. Every function throws commander's InvalidArgumentError,
// which then names the option and the word.
import { existsSync } from "node:fs";
import { InvalidArgumentError } from "commander";
import type { BaseInput } from "../index.ts";

const EXPONENTS: Record<string, number> = { "": 0, K: 1, M: 2, G: 3, T: 4 };
const SIZE = /^(\d+(?:\.\d+)?) ?(?:B|([KMGT])(?:iB)?)?$/i;

/** Bytes: "4096", "0x1000", "64KiB", "1.5G". K, M, G and T are powers of 1024. */
export function parseSize(word: string): number {
  const match = SIZE.exec(word);
  const byteCount = /^0x[0-9a-f]+$/i.test(word)
    ? Number(word)
    : match
      ? Number(match[1]) * 1024 ** EXPONENTS[(match[2] ?? "").toUpperCase()]
      : Number.NaN;
  if (!Number.isSafeInteger(byteCount)) {
    throw new InvalidArgumentError("A size is bytes, KiB, MiB, GiB, TiB, or 0x and hex digits.");
  }
  return byteCount;
}

/** Number of workers; undefined stands for one per processor, said as 0. */
export function parseThreads(word: string): number | undefined {
  if (!/^\d{1,4}$/.test(word)) throw new InvalidArgumentError("Threads are counted: 0, 1, 2, …");
  return Number(word) === 0 ? undefined : Number(word);
}

export function parsePid(word: string): number {
  if (!/^[1-9]\d{0,9}$/.test(word)) throw new InvalidArgumentError("A process id is a number.");
  return Number(word);
}

/** Adds "KEY=VALUE" to the notes so far. */
export function parseNote(word: string, soFar?: Record<string, string>) {
  const [, key, value] = /^([^=]+)=(.*)$/s.exec(word) ?? [];
  if (key === undefined) throw new InvalidArgumentError("A note is KEY=VALUE.");
  if (soFar && Object.hasOwn(soFar, key))
    throw new InvalidArgumentError(`The note ${key} is given twice.`);
  return Object.fromEntries([...Object.entries(soFar ?? {}), [key, value]]);
}

/** "OLD" or "A.pfa::NAME"; a file that has "::" in its path is taken for itself. */
export function parseBase(word: string): BaseInput {
  const at = word.indexOf("::");
  if (at < 0 || existsSync(word)) return { path: word };
  if (at === 0 || at + 2 === word.length) {
    throw new InvalidArgumentError("A base is a file, or ARCHIVE::NAME.");
  }
  return { archive: word.slice(0, at), name: word.slice(at + 2) };
}
