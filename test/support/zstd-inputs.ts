// Inputs for tests of the Zstandard encoder: the sizes and patterns at which encoders break. All of
// them are seeded.
import fc from "fast-check";
import { memoryLike } from "./lz4-inputs.ts";
import { seededRandom } from "./random.ts";

export interface ZstdInput {
  name: string;
  input: Uint8Array;
}

export const BLOCK_BYTES = 131072;
export const FRAME_BYTES = 1048576;

const EDGES = [
  0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 39, 40, 41, 63, 64, 65, 127, 128, 255, 256,
  257, 1023, 1024, 1025, 4095, 4096, 4097, 65535, 65536, 65791, 65792, 65793,
];
const LARGE_EDGES = [BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, FRAME_BYTES - 1, FRAME_BYTES];

/** Period 251, so that a swapped block shows. */
export function painted(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => at % 251);
}

/** Words of a small language, the frequent ones first. */
export function textLike(length: number, seed: number): Uint8Array {
  const random = seededRandom(seed);
  const words = Array.from({ length: 300 }, () =>
    Array.from({ length: 2 + random.int(8) }, () => "etaoinshrdlu"[random.int(12)]).join(""),
  );
  const parts: string[] = [];
  for (let bytes = 0; bytes < length; bytes += parts[parts.length - 1].length) {
    parts.push(`${words[random.int(1 + random.int(300))]} `);
  }
  return new TextEncoder().encode(parts.join("")).slice(0, length);
}

/** Random bytes of which small values are more frequent: no matches, but codes of all lengths. */
export function skewed(length: number, seed: number): Uint8Array {
  const random = seededRandom(seed);
  return Uint8Array.from({ length }, () => random.int(1 + random.int(1 + random.int(256))));
}

/** Runs of single bytes of any length, and noise between them. */
export function runFilled(length: number, seed: number): Uint8Array {
  const random = seededRandom(seed);
  const out = new Uint8Array(length);
  for (let at = 0; at < length; ) {
    const end = at + 1 + random.int(1 << random.int(18));
    if (random.int(3) === 0) {
      for (; at < Math.min(end, at + 300, length); at++) out[at] = random.int(256);
    } else out.fill(random.int(4), at, end);
    at = end;
  }
  return out;
}

const MAKERS: { kind: string; make: (length: number, seed: number) => Uint8Array }[] = [
  { kind: "zeros", make: (length) => new Uint8Array(length) },
  { kind: "painted", make: painted },
  { kind: "random", make: (length, seed) => seededRandom(seed).bytes(length) },
  { kind: "skewed", make: skewed },
  { kind: "in runs", make: runFilled },
  { kind: "like text", make: textLike },
  { kind: "like memory", make: memoryLike },
];

function inputsOf(lengths: readonly number[], seed: number): ZstdInput[] {
  return lengths.flatMap((length) =>
    MAKERS.map(({ kind, make }) => ({ name: `${length} ${kind}`, input: make(length, seed) })),
  );
}

export function smallInputs(seed: number): ZstdInput[] {
  return inputsOf(EDGES, seed);
}

export function largeInputs(seed: number): ZstdInput[] {
  return inputsOf(LARGE_EDGES, seed);
}

/** Pieces of every kind of content, to be joined in any order. */
export const anyPiece = fc.oneof(
  fc.uint8Array({ maxLength: 60 }),
  fc.tuple(fc.nat(255), fc.nat(5000)).map(([byte, n]) => new Uint8Array(n).fill(byte)),
  fc.tuple(fc.nat(5), fc.nat(900)).map(([s, n]) => memoryLike(n * 8, s)),
  fc.tuple(fc.nat(5), fc.nat(9000)).map(([s, n]) => textLike(n, s)),
  fc.tuple(fc.nat(5), fc.nat(4000)).map(([s, n]) => skewed(n, s)),
  fc.nat(20_000).map(painted),
);
