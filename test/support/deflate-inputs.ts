// Inputs for tests of what writes zlib streams, all of them seeded: sizes and patterns at which the
// choices of a compressor turn. A page is what the streams are made of, but any size up to 64 KiB
// has to come out as zlib makes it.
import { memoryLike } from "./lz4-inputs.ts";
import { seededRandom } from "./random.ts";

const EDGES = [1, 2, 3, 4, 5, 10, 257, 258, 259, 262, 4095, 4096, 16382, 16383, 16384, 16385];
const LARGE = [32506, 32768, 32769, 65274, 65535, 65536];

type Fill = (length: number, seed: number) => Uint8Array;

/** Bytes that are each half as frequent as the one before: deep trees. */
const steep: Fill = (length, seed) => {
  const random = seededRandom(seed);
  const one = () => {
    let value = 0;
    while (value < 40 && random.int(2) === 0) value++;
    return value * 5;
  };
  return Uint8Array.from({ length }, one);
};

/** Counts that are Fibonacci's numbers, shuffled: the deepest trees of all. */
const deepest: Fill = (length, seed) => {
  const random = seededRandom(seed);
  const bytes = new Uint8Array(length);
  for (let at = 0, value = 0, a = 1, b = 1; at < length; [a, b] = [b, a + b]) {
    bytes.fill(value++, at, at + a);
    at += a;
  }
  for (let at = length - 1; at > 0; at--) {
    const other = random.int(at + 1);
    [bytes[at], bytes[other]] = [bytes[other], bytes[at]];
  }
  return bytes;
};

/** Copies of a few bytes from anywhere before, with a new byte now and then. */
const patched: Fill = (length, seed) => {
  const random = seededRandom(seed);
  const bytes = random.bytes(length);
  for (let at = 4; at < length; at++) {
    if (random.int(3) === 0) continue;
    const distance = 1 + random.int(at);
    const end = Math.min(at + 3 + random.int(12), length);
    for (; at < end; at++) bytes[at] = bytes[at - distance];
  }
  return bytes;
};

const FILLS: Record<string, Fill> = {
  zeros: (length) => new Uint8Array(length),
  painted: (length) => Uint8Array.from({ length }, (_, at) => at % 251),
  noise: (length, seed) => seededRandom(seed).bytes(length),
  "like memory": memoryLike,
  steep,
  deepest,
  patched,
};

export interface DeflateInput {
  name: string;
  input: Uint8Array;
}

export function deflateInputs(seed: number): DeflateInput[] {
  return Object.entries(FILLS).flatMap(([fill, make]) =>
    [...EDGES, ...LARGE].map((length) => ({
      name: `${length} ${fill}`,
      input: make(length, seed + length),
    })),
  );
}

/** One of them, or pieces of several. */
export function anyDeflateInput(seed: number): Uint8Array {
  const random = seededRandom(seed);
  const fills = Object.values(FILLS);
  const length = [4096, 16384, 65536, 1 + random.int(100), 1 + random.int(65536)][random.int(5)];
  const bytes = new Uint8Array(length);
  const isMixed = random.int(3) > 0;
  for (let at = 0; at < length; ) {
    const pieceBytes = isMixed ? 1 + random.int(random.int(2) ? 2000 : length) : length;
    const piece = fills[random.int(fills.length)](pieceBytes, random.int(2 ** 32));
    bytes.set(piece.subarray(0, length - at), at);
    at += pieceBytes;
  }
  return bytes;
}
