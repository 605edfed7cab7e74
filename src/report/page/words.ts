// Numbers and names as people read them.
import { KINDS, type Kind } from "../kindcodes.ts";

export const PAGE_BYTES = 4096;
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** "512 B", "2 MiB", "251 MiB", "1.25 GiB": three digits. */
export function bytesText(byteCount: number): string {
  const { unit, size } = unitFor(Math.abs(byteCount));
  const value = byteCount / size;
  const isWhole = Number.isInteger(value) || Math.abs(value) >= 99.95;
  const digits = isWhole ? 0 : Math.abs(value) >= 9.995 ? 1 : 2;
  return `${value < 0 ? "−" : ""}${Math.abs(value).toFixed(digits)} ${unit}`;
}

/** The unit of an axis up to so many bytes: ticks shall be whole numbers. */
export function axisUnit(byteCount: number): { unit: string; size: number } {
  return unitFor(byteCount / 4);
}

/** The unit in which a number of bytes is read best. */
function unitFor(byteCount: number): { unit: string; size: number } {
  let index = 0;
  while (index < UNITS.length - 1 && byteCount >= 1024 ** (index + 1) * 0.9995) index++;
  return { unit: UNITS[index], size: 1024 ** index };
}

/** "12,345" for a whole number. What the browser has for it takes a twentieth of a second. */
export function countText(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** A number on an axis. */
export function tickText(value: number): string {
  return Number.isInteger(value) ? countText(value) : String(Number(value.toPrecision(6)));
}

/** "1 page", "12,345 pages". */
export function countedText(count: number, noun: string): string {
  return `${countText(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** "30.5 %", "0.02 %"; what is there is never shown as nothing. */
export function shareText(part: number, whole: number): string {
  if (whole === 0) return "–";
  const percent = (100 * part) / whole;
  if (percent > 0 && percent < 0.01) return "< 0.01 %";
  return `${percent.toFixed(percent > 0 && percent < 1 ? 2 : 1)} %`;
}

export function hexText(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}

/** A name whose every character is seen: none hides, breaks the line or turns its direction. */
export function nameText(name: string): string {
  return name.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/gu,
    (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

/** At most so many characters, without the middle. */
export function shortName(name: string, limit: number): string {
  const characters = [...nameText(name)];
  if (characters.length <= limit) return characters.join("");
  const tail = Math.ceil((limit - 1) / 2);
  const head = characters.slice(0, limit - 1 - tail).join("");
  return `${head}…${characters.slice(-tail).join("")}`;
}

interface KindWords {
  /** In legends and tables. */
  label: string;
  /** Of a single page. */
  one: string;
  meaning: string;
}

const KIND_WORDS: Record<Kind, KindWords> = {
  zero: { label: "zero", one: "zero", meaning: "nothing but zeros; costs nothing" },
  uniform: {
    label: "one word",
    one: "one repeated word",
    meaning: "one word of 8 bytes, 512 times; costs next to nothing",
  },
  duplicateInside: {
    label: "duplicate here",
    one: "duplicate in this image",
    meaning: "equal to an earlier page of the same image",
  },
  duplicateAcross: {
    label: "shared with others",
    one: "shared with another image",
    meaning: "equal to a page of an image before it, which pays for it",
  },
  similar: {
    label: "similar",
    one: "similar, stored as a delta",
    meaning: "stored as its difference from up to three earlier pages",
  },
  compressible: {
    label: "compressible",
    one: "compressible",
    meaning: "stored in a compressed cluster",
  },
  dense: {
    label: "dense",
    one: "dense",
    meaning: "stored, with 7.5 bits of entropy a byte or more: hardly compressible",
  },
};

export function kindWords(kind: number): KindWords {
  return KIND_WORDS[KINDS[kind]];
}
