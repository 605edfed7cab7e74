// The anchors of a page as their definition says: one window after another, hashed word by word.
// It looks at one page alone and knows no addresses.
import { PAGE_BYTES } from "../../src/core/page.ts";
import { ANCHORS_MAX } from "../../src/kernels/abi.ts";

const WORD_BYTES = 8;
const WORDS = 4;
/** Windows go by groups of four words; the one that starts the last group is not looked at. */
const WINDOWS = (PAGE_BYTES - WORDS * WORD_BYTES) / WORD_BYTES;
const ODD = 0x9e3779b1;
const FIRST_WORD = 0x9e3779b97f4a7c15n;
const FACTOR = 0xbf58476d1ce4e5b9n;

/** The anchors of an ordinary page, in the order of their windows. */
export function anchorsOf(page: Uint8Array, sampleBits: number): number[] {
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  const anchors: number[] = [];
  for (let window = 0; window < WINDOWS && anchors.length < ANCHORS_MAX; window++) {
    const words = Array.from({ length: WORDS }, (_, i) =>
      view.getBigUint64((window + i) * WORD_BYTES, true),
    );
    if (!isSampled(words, sampleBits)) continue;
    if (words.every((word) => word === words[0])) continue;
    anchors.push(hashWindow(words));
  }
  return anchors;
}

/** Whether the upper bits of the hash of the first two words are 0. */
function isSampled(words: bigint[], sampleBits: number): boolean {
  const half = (hashWord(words[0]) + rotate(hashWord(words[1]))) >>> 0;
  return half < 2 ** (32 - sampleBits);
}

function hashWord(word: bigint): number {
  const low = Number(BigInt.asUintN(32, word));
  const high = Number(word >> 32n);
  return (Math.imul(low - 1, ODD) + rotate(Math.imul(high, ODD))) >>> 0;
}

function rotate(value: number): number {
  return (value << 13) | (value >>> 19);
}

function hashWindow(words: bigint[]): number {
  let hash = 0n;
  words.forEach((word, i) => {
    const before = i === 0 ? FIRST_WORD : rotate64(hash);
    hash = BigInt.asUintN(64, (before ^ word) * FACTOR);
  });
  return Number(hash >> 32n);
}

function rotate64(value: bigint): bigint {
  return BigInt.asUintN(64, value << 27n) | (value >> 37n);
}
