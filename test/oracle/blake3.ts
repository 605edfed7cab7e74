// BLAKE3-256 as its paper tells it, slowly: one compression at a time, the message put into a new
// order before each round, and the tree by recursion. Plain and keyed; 32 bytes of output.

const IV = [
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];
/** Where each word of a round's message stood in the round before. */
const PERMUTATION = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];
const [CHUNK_START, CHUNK_END, PARENT, ROOT, KEYED_HASH] = [1, 2, 4, 8, 16];
const CHUNK_BYTES = 1024;
const BLOCK_BYTES = 64;

/** The digest of `input`; keyed if there is a key of 32 bytes. */
export function blake3Oracle(input: Uint8Array, key?: Uint8Array): Uint8Array {
  if (key && key.length !== 32) throw new Error(`a key of ${key.length} bytes`);
  const mode = key ? { start: wordsOf(key), flags: KEYED_HASH } : { start: IV, flags: 0 };
  return bytesOf(hashTree(input, 0, mode, ROOT));
}

interface Mode {
  start: readonly number[];
  flags: number;
}

/** The chaining value of some chunks, the first of which has number `chunk`. */
function hashTree(input: Uint8Array, chunk: number, mode: Mode, root: number): number[] {
  if (input.length <= CHUNK_BYTES) return hashChunk(input, chunk, mode, root);
  let leftBytes = CHUNK_BYTES;
  while (leftBytes * 2 < input.length) leftBytes *= 2;
  const left = hashTree(input.subarray(0, leftBytes), chunk, mode, 0);
  const right = hashTree(input.subarray(leftBytes), chunk + leftBytes / CHUNK_BYTES, mode, 0);
  return compress(mode.start, [...left, ...right], 0, BLOCK_BYTES, mode.flags | PARENT | root);
}

function hashChunk(input: Uint8Array, chunk: number, mode: Mode, root: number): number[] {
  const blockCount = Math.max(1, Math.ceil(input.length / BLOCK_BYTES));
  let chain = [...mode.start];
  for (let i = 0; i < blockCount; i++) {
    const bytes = input.subarray(i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES);
    const block = new Uint8Array(BLOCK_BYTES);
    block.set(bytes);
    const start = i === 0 ? CHUNK_START : 0;
    const end = i === blockCount - 1 ? CHUNK_END | root : 0;
    chain = compress(chain, wordsOf(block), chunk, bytes.length, mode.flags | start | end);
  }
  return chain;
}

function compress(
  chain: readonly number[],
  block: readonly number[],
  counter: number,
  blockBytes: number,
  flags: number,
): number[] {
  const low = counter >>> 0;
  const high = Math.floor(counter / 2 ** 32);
  const state = [...chain, ...IV.slice(0, 4), low, high, blockBytes, flags];
  let message = [...block];
  for (let round = 0; round < 7; round++) {
    for (let i = 0; i < 4; i++) mix(state, [i, i + 4, i + 8, i + 12], message, 2 * i);
    for (let i = 0; i < 4; i++) {
      const diagonal = [i, 4 + ((i + 1) % 4), 8 + ((i + 2) % 4), 12 + ((i + 3) % 4)];
      mix(state, diagonal, message, 8 + 2 * i);
    }
    message = PERMUTATION.map((from) => message[from]);
  }
  return chain.map((_, i) => (state[i] ^ state[i + 8]) >>> 0);
}

function mix(state: number[], places: readonly number[], message: readonly number[], at: number) {
  const [a, b, c, d] = places;
  for (const [word, first, second] of [
    [message[at], 16, 12],
    [message[at + 1], 8, 7],
  ]) {
    state[a] = (state[a] + state[b] + word) >>> 0;
    state[d] = turnRight(state[d] ^ state[a], first);
    state[c] = (state[c] + state[d]) >>> 0;
    state[b] = turnRight(state[b] ^ state[c], second);
  }
}

function turnRight(word: number, bits: number): number {
  return ((word >>> bits) | (word << (32 - bits))) >>> 0;
}

function wordsOf(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / 4 }, (_, i) => view.getUint32(i * 4, true));
}

function bytesOf(words: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(words.length * 4));
  for (const [i, word] of words.entries()) view.setUint32(i * 4, word, true);
  return new Uint8Array(view.buffer);
}
