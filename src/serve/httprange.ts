// What a request may ask of the bytes of a representation: ranges (RFC 9110 §14) and conditions
// (§13), as functions of the header fields. A field that cannot be read is as if it were not
// there, unless the standard says otherwise.
import type { IncomingHttpHeaders } from "node:http";

/** Bytes [start, end). */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** What is asked for is one thing as long as these stay. */
export interface Validators {
  /** Strong, with its quotes. */
  readonly etag: string;
  /** Whole seconds. */
  readonly modifiedMs: number;
}

/** More ranges than anybody who reads an image asks for at once: the field is ignored. */
const MAX_RANGES = 32;
/** One more decimal digit might not be a safe integer. */
const MAX_DIGITS = 15;

/**
 * The ranges that `field` asks for of `byteLength` bytes; undefined: all of it. An empty list: none
 * of them is in it (416).
 */
export function parseRanges(
  field: string | undefined,
  byteLength: number,
): ByteRange[] | undefined {
  const [, list] = /^bytes[ \t]*=(.*)$/is.exec(field ?? "") ?? [];
  if (list === undefined) return undefined;
  const words = list.split(",").map((word) => word.trim());
  const wanted = words.filter((word) => word !== "");
  if (wanted.length === 0 || wanted.length > MAX_RANGES) return undefined;
  const ranges: ByteRange[] = [];
  for (const word of wanted) {
    const [, first, last] = /^(\d*)-(\d*)$/.exec(word) ?? [];
    if (first === undefined || (first === "" && last === "")) return undefined;
    if (first.length > 0 && last.length > 0 && numberOf(last) < numberOf(first)) return undefined;
    const range = rangeOf(first, last, byteLength);
    if (range.start < range.end) ranges.push(range);
  }
  // Overlapping ranges multiply the work: whoever asks for more than there is gets it once.
  const total = ranges.reduce((sum, { start, end }) => sum + end - start, 0);
  return ranges.length > 1 && total > byteLength ? undefined : ranges;
}

function rangeOf(first: string, last: string, byteLength: number): ByteRange {
  if (first === "") {
    return { start: Math.max(0, byteLength - numberOf(last)), end: byteLength };
  }
  const end = last === "" ? byteLength : Math.min(byteLength, numberOf(last) + 1);
  return { start: numberOf(first), end };
}

/** Numbers beyond every image count as one that is. */
function numberOf(digits: string): number {
  const significant = digits.replace(/^0+/, "");
  return significant.length > MAX_DIGITS ? Number.MAX_SAFE_INTEGER - 1 : Number(significant);
}

/** Whether the ranges of a request count: `If-Range` names what the client has a part of. */
export function isRangeWanted(
  field: string | undefined,
  { etag, modifiedMs }: Validators,
): boolean {
  if (field === undefined) return true;
  // A weak validator starts with W/ and is never equal here.
  if (field.includes('"')) return field.trim() === etag;
  return Date.parse(field) === modifiedMs;
}

/** 304 or 412 when a condition says so; undefined: go on. */
export function judgeConditions(
  headers: IncomingHttpHeaders,
  { etag, modifiedMs }: Validators,
): 304 | 412 | undefined {
  const ifMatch = headers["if-match"];
  const unmodified = dateOf(headers["if-unmodified-since"]);
  if (ifMatch !== undefined) {
    if (!lists(ifMatch, etag, false)) return 412;
  } else if (unmodified !== undefined && modifiedMs > unmodified) {
    return 412;
  }
  const ifNoneMatch = headers["if-none-match"];
  const modified = dateOf(headers["if-modified-since"]);
  if (ifNoneMatch !== undefined) return lists(ifNoneMatch, etag, true) ? 304 : undefined;
  return modified !== undefined && modifiedMs <= modified ? 304 : undefined;
}

function dateOf(field: string | undefined): number | undefined {
  const ms = field === undefined ? Number.NaN : Date.parse(field);
  return Number.isNaN(ms) ? undefined : ms;
}

function lists(field: string, etag: string, isWeak: boolean): boolean {
  return field.split(",").some((word) => {
    const tag = word.trim();
    return tag === "*" || tag === etag || (isWeak && tag === `W/${etag}`);
  });
}
