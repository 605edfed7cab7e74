// The compression function of BLAKE3 (the BLAKE3 paper, §2.2) in four lanes: a word of the
// state or of the message is a vector, and each lane of them is a compression of its own. The 7
// rounds stand here one after another: as a loop they reach 0.7 × the speed, because the words of
// the state then change their registers at each turn, and those of the message have to be put into
// the order of each round. They are two functions, as one would be too long.

/** Bytes of the state, whose first half is the chaining value before and after. */
// @ts-ignore: decorator
@inline export const STATE_BYTES: usize = 256;
/** Bytes of the message, and of a chaining value. */
// @ts-ignore: decorator
@inline export const MESSAGE_BYTES: usize = 256;
// @ts-ignore: decorator
@inline export const CHAIN_BYTES: usize = 128;

/** Compresses the message at `m` into the chaining value at `s`. */
// @ts-ignore: decorator
@inline export function compress(
  m: usize,
  s: usize,
  counters: v128,
  blockBytes: u32,
  flags: u32,
): void {
  beginRounds(m, s, counters, i32x4.splat(blockBytes), i32x4.splat(flags));
  finishRounds(m, s);
}

// A step mixes a column or a diagonal of the state, four rows a b c d of four words, in two lines:
//   a += b + word, d = (d ^ a) >>> 16, c += d, b = (b ^ c) >>> 12
//   a += b + word, d = (d ^ a) >>> 8,  c += d, b = (b ^ c) >>> 7
// Each round has four columns, then four diagonals. Words are named by their byte offsets.

/** Three rounds and the columns of the fourth. */
function beginRounds(m: usize, s: usize, counters: v128, blockBytes: v128, flags: v128): void {
  let a0 = v128.load(s, 0), a1 = v128.load(s, 16), a2 = v128.load(s, 32), a3 = v128.load(s, 48);
  let b0 = v128.load(s, 64), b1 = v128.load(s, 80), b2 = v128.load(s, 96), b3 = v128.load(s, 112);
  let c0 = i32x4.splat(0x6a09e667), c1 = i32x4.splat(0xbb67ae85);
  let c2 = i32x4.splat(0x3c6ef372), c3 = i32x4.splat(0xa54ff53a);
  let d0 = counters, d1 = i32x4.splat(0), d2 = blockBytes, d3 = flags;
  d0 = turn16(d0, (a0 = sum(a0, b0, v128.load(m, 0)))); b0 = turn12(b0, (c0 = add(c0, d0)));
  d0 = turn8(d0, (a0 = sum(a0, b0, v128.load(m, 16)))); b0 = turn7(b0, (c0 = add(c0, d0)));
  d1 = turn16(d1, (a1 = sum(a1, b1, v128.load(m, 32)))); b1 = turn12(b1, (c1 = add(c1, d1)));
  d1 = turn8(d1, (a1 = sum(a1, b1, v128.load(m, 48)))); b1 = turn7(b1, (c1 = add(c1, d1)));
  d2 = turn16(d2, (a2 = sum(a2, b2, v128.load(m, 64)))); b2 = turn12(b2, (c2 = add(c2, d2)));
  d2 = turn8(d2, (a2 = sum(a2, b2, v128.load(m, 80)))); b2 = turn7(b2, (c2 = add(c2, d2)));
  d3 = turn16(d3, (a3 = sum(a3, b3, v128.load(m, 96)))); b3 = turn12(b3, (c3 = add(c3, d3)));
  d3 = turn8(d3, (a3 = sum(a3, b3, v128.load(m, 112)))); b3 = turn7(b3, (c3 = add(c3, d3)));
  d3 = turn16(d3, (a0 = sum(a0, b1, v128.load(m, 128)))); b1 = turn12(b1, (c2 = add(c2, d3)));
  d3 = turn8(d3, (a0 = sum(a0, b1, v128.load(m, 144)))); b1 = turn7(b1, (c2 = add(c2, d3)));
  d0 = turn16(d0, (a1 = sum(a1, b2, v128.load(m, 160)))); b2 = turn12(b2, (c3 = add(c3, d0)));
  d0 = turn8(d0, (a1 = sum(a1, b2, v128.load(m, 176)))); b2 = turn7(b2, (c3 = add(c3, d0)));
  d1 = turn16(d1, (a2 = sum(a2, b3, v128.load(m, 192)))); b3 = turn12(b3, (c0 = add(c0, d1)));
  d1 = turn8(d1, (a2 = sum(a2, b3, v128.load(m, 208)))); b3 = turn7(b3, (c0 = add(c0, d1)));
  d2 = turn16(d2, (a3 = sum(a3, b0, v128.load(m, 224)))); b0 = turn12(b0, (c1 = add(c1, d2)));
  d2 = turn8(d2, (a3 = sum(a3, b0, v128.load(m, 240)))); b0 = turn7(b0, (c1 = add(c1, d2)));
  d0 = turn16(d0, (a0 = sum(a0, b0, v128.load(m, 32)))); b0 = turn12(b0, (c0 = add(c0, d0)));
  d0 = turn8(d0, (a0 = sum(a0, b0, v128.load(m, 96)))); b0 = turn7(b0, (c0 = add(c0, d0)));
  d1 = turn16(d1, (a1 = sum(a1, b1, v128.load(m, 48)))); b1 = turn12(b1, (c1 = add(c1, d1)));
  d1 = turn8(d1, (a1 = sum(a1, b1, v128.load(m, 160)))); b1 = turn7(b1, (c1 = add(c1, d1)));
  d2 = turn16(d2, (a2 = sum(a2, b2, v128.load(m, 112)))); b2 = turn12(b2, (c2 = add(c2, d2)));
  d2 = turn8(d2, (a2 = sum(a2, b2, v128.load(m, 0)))); b2 = turn7(b2, (c2 = add(c2, d2)));
  d3 = turn16(d3, (a3 = sum(a3, b3, v128.load(m, 64)))); b3 = turn12(b3, (c3 = add(c3, d3)));
  d3 = turn8(d3, (a3 = sum(a3, b3, v128.load(m, 208)))); b3 = turn7(b3, (c3 = add(c3, d3)));
  d3 = turn16(d3, (a0 = sum(a0, b1, v128.load(m, 16)))); b1 = turn12(b1, (c2 = add(c2, d3)));
  d3 = turn8(d3, (a0 = sum(a0, b1, v128.load(m, 176)))); b1 = turn7(b1, (c2 = add(c2, d3)));
  d0 = turn16(d0, (a1 = sum(a1, b2, v128.load(m, 192)))); b2 = turn12(b2, (c3 = add(c3, d0)));
  d0 = turn8(d0, (a1 = sum(a1, b2, v128.load(m, 80)))); b2 = turn7(b2, (c3 = add(c3, d0)));
  d1 = turn16(d1, (a2 = sum(a2, b3, v128.load(m, 144)))); b3 = turn12(b3, (c0 = add(c0, d1)));
  d1 = turn8(d1, (a2 = sum(a2, b3, v128.load(m, 224)))); b3 = turn7(b3, (c0 = add(c0, d1)));
  d2 = turn16(d2, (a3 = sum(a3, b0, v128.load(m, 240)))); b0 = turn12(b0, (c1 = add(c1, d2)));
  d2 = turn8(d2, (a3 = sum(a3, b0, v128.load(m, 128)))); b0 = turn7(b0, (c1 = add(c1, d2)));
  d0 = turn16(d0, (a0 = sum(a0, b0, v128.load(m, 48)))); b0 = turn12(b0, (c0 = add(c0, d0)));
  d0 = turn8(d0, (a0 = sum(a0, b0, v128.load(m, 64)))); b0 = turn7(b0, (c0 = add(c0, d0)));
  d1 = turn16(d1, (a1 = sum(a1, b1, v128.load(m, 160)))); b1 = turn12(b1, (c1 = add(c1, d1)));
  d1 = turn8(d1, (a1 = sum(a1, b1, v128.load(m, 192)))); b1 = turn7(b1, (c1 = add(c1, d1)));
  d2 = turn16(d2, (a2 = sum(a2, b2, v128.load(m, 208)))); b2 = turn12(b2, (c2 = add(c2, d2)));
  d2 = turn8(d2, (a2 = sum(a2, b2, v128.load(m, 32)))); b2 = turn7(b2, (c2 = add(c2, d2)));
  d3 = turn16(d3, (a3 = sum(a3, b3, v128.load(m, 112)))); b3 = turn12(b3, (c3 = add(c3, d3)));
  d3 = turn8(d3, (a3 = sum(a3, b3, v128.load(m, 224)))); b3 = turn7(b3, (c3 = add(c3, d3)));
  d3 = turn16(d3, (a0 = sum(a0, b1, v128.load(m, 96)))); b1 = turn12(b1, (c2 = add(c2, d3)));
  d3 = turn8(d3, (a0 = sum(a0, b1, v128.load(m, 80)))); b1 = turn7(b1, (c2 = add(c2, d3)));
  d0 = turn16(d0, (a1 = sum(a1, b2, v128.load(m, 144)))); b2 = turn12(b2, (c3 = add(c3, d0)));
  d0 = turn8(d0, (a1 = sum(a1, b2, v128.load(m, 0)))); b2 = turn7(b2, (c3 = add(c3, d0)));
  d1 = turn16(d1, (a2 = sum(a2, b3, v128.load(m, 176)))); b3 = turn12(b3, (c0 = add(c0, d1)));
  d1 = turn8(d1, (a2 = sum(a2, b3, v128.load(m, 240)))); b3 = turn7(b3, (c0 = add(c0, d1)));
  d2 = turn16(d2, (a3 = sum(a3, b0, v128.load(m, 128)))); b0 = turn12(b0, (c1 = add(c1, d2)));
  d2 = turn8(d2, (a3 = sum(a3, b0, v128.load(m, 16)))); b0 = turn7(b0, (c1 = add(c1, d2)));
  d0 = turn16(d0, (a0 = sum(a0, b0, v128.load(m, 160)))); b0 = turn12(b0, (c0 = add(c0, d0)));
  d0 = turn8(d0, (a0 = sum(a0, b0, v128.load(m, 112)))); b0 = turn7(b0, (c0 = add(c0, d0)));
  d1 = turn16(d1, (a1 = sum(a1, b1, v128.load(m, 192)))); b1 = turn12(b1, (c1 = add(c1, d1)));
  d1 = turn8(d1, (a1 = sum(a1, b1, v128.load(m, 144)))); b1 = turn7(b1, (c1 = add(c1, d1)));
  d2 = turn16(d2, (a2 = sum(a2, b2, v128.load(m, 224)))); b2 = turn12(b2, (c2 = add(c2, d2)));
  d2 = turn8(d2, (a2 = sum(a2, b2, v128.load(m, 48)))); b2 = turn7(b2, (c2 = add(c2, d2)));
  d3 = turn16(d3, (a3 = sum(a3, b3, v128.load(m, 208)))); b3 = turn12(b3, (c3 = add(c3, d3)));
  d3 = turn8(d3, (a3 = sum(a3, b3, v128.load(m, 240)))); b3 = turn7(b3, (c3 = add(c3, d3)));
  v128.store(s, a0, 0); v128.store(s, a1, 16); v128.store(s, a2, 32); v128.store(s, a3, 48);
  v128.store(s, b0, 64); v128.store(s, b1, 80); v128.store(s, b2, 96); v128.store(s, b3, 112);
  v128.store(s, c0, 128); v128.store(s, c1, 144); v128.store(s, c2, 160); v128.store(s, c3, 176);
  v128.store(s, d0, 192); v128.store(s, d1, 208); v128.store(s, d2, 224); v128.store(s, d3, 240);
}

/** The diagonals of the fourth round and three more; then both halves of the state are joined. */
function finishRounds(m: usize, s: usize): void {
  let a0 = v128.load(s, 0), a1 = v128.load(s, 16), a2 = v128.load(s, 32), a3 = v128.load(s, 48);
  let b0 = v128.load(s, 64), b1 = v128.load(s, 80), b2 = v128.load(s, 96), b3 = v128.load(s, 112);
  let c0 = v128.load(s, 128), c1 = v128.load(s, 144);
  let c2 = v128.load(s, 160), c3 = v128.load(s, 176);
  let d0 = v128.load(s, 192), d1 = v128.load(s, 208);
  let d2 = v128.load(s, 224), d3 = v128.load(s, 240);
  d3 = turn16(d3, (a0 = sum(a0, b1, v128.load(m, 64)))); b1 = turn12(b1, (c2 = add(c2, d3)));
  d3 = turn8(d3, (a0 = sum(a0, b1, v128.load(m, 0)))); b1 = turn7(b1, (c2 = add(c2, d3)));
  d0 = turn16(d0, (a1 = sum(a1, b2, v128.load(m, 176)))); b2 = turn12(b2, (c3 = add(c3, d0)));
  d0 = turn8(d0, (a1 = sum(a1, b2, v128.load(m, 32)))); b2 = turn7(b2, (c3 = add(c3, d0)));
  d1 = turn16(d1, (a2 = sum(a2, b3, v128.load(m, 80)))); b3 = turn12(b3, (c0 = add(c0, d1)));
  d1 = turn8(d1, (a2 = sum(a2, b3, v128.load(m, 128)))); b3 = turn7(b3, (c0 = add(c0, d1)));
  d2 = turn16(d2, (a3 = sum(a3, b0, v128.load(m, 16)))); b0 = turn12(b0, (c1 = add(c1, d2)));
  d2 = turn8(d2, (a3 = sum(a3, b0, v128.load(m, 96)))); b0 = turn7(b0, (c1 = add(c1, d2)));
  d0 = turn16(d0, (a0 = sum(a0, b0, v128.load(m, 192)))); b0 = turn12(b0, (c0 = add(c0, d0)));
  d0 = turn8(d0, (a0 = sum(a0, b0, v128.load(m, 208)))); b0 = turn7(b0, (c0 = add(c0, d0)));
  d1 = turn16(d1, (a1 = sum(a1, b1, v128.load(m, 144)))); b1 = turn12(b1, (c1 = add(c1, d1)));
  d1 = turn8(d1, (a1 = sum(a1, b1, v128.load(m, 176)))); b1 = turn7(b1, (c1 = add(c1, d1)));
  d2 = turn16(d2, (a2 = sum(a2, b2, v128.load(m, 240)))); b2 = turn12(b2, (c2 = add(c2, d2)));
  d2 = turn8(d2, (a2 = sum(a2, b2, v128.load(m, 160)))); b2 = turn7(b2, (c2 = add(c2, d2)));
  d3 = turn16(d3, (a3 = sum(a3, b3, v128.load(m, 224)))); b3 = turn12(b3, (c3 = add(c3, d3)));
  d3 = turn8(d3, (a3 = sum(a3, b3, v128.load(m, 128)))); b3 = turn7(b3, (c3 = add(c3, d3)));
  d3 = turn16(d3, (a0 = sum(a0, b1, v128.load(m, 112)))); b1 = turn12(b1, (c2 = add(c2, d3)));
  d3 = turn8(d3, (a0 = sum(a0, b1, v128.load(m, 32)))); b1 = turn7(b1, (c2 = add(c2, d3)));
  d0 = turn16(d0, (a1 = sum(a1, b2, v128.load(m, 80)))); b2 = turn12(b2, (c3 = add(c3, d0)));
  d0 = turn8(d0, (a1 = sum(a1, b2, v128.load(m, 48)))); b2 = turn7(b2, (c3 = add(c3, d0)));
  d1 = turn16(d1, (a2 = sum(a2, b3, v128.load(m, 0)))); b3 = turn12(b3, (c0 = add(c0, d1)));
  d1 = turn8(d1, (a2 = sum(a2, b3, v128.load(m, 16)))); b3 = turn7(b3, (c0 = add(c0, d1)));
  d2 = turn16(d2, (a3 = sum(a3, b0, v128.load(m, 96)))); b0 = turn12(b0, (c1 = add(c1, d2)));
  d2 = turn8(d2, (a3 = sum(a3, b0, v128.load(m, 64)))); b0 = turn7(b0, (c1 = add(c1, d2)));
  d0 = turn16(d0, (a0 = sum(a0, b0, v128.load(m, 144)))); b0 = turn12(b0, (c0 = add(c0, d0)));
  d0 = turn8(d0, (a0 = sum(a0, b0, v128.load(m, 224)))); b0 = turn7(b0, (c0 = add(c0, d0)));
  d1 = turn16(d1, (a1 = sum(a1, b1, v128.load(m, 176)))); b1 = turn12(b1, (c1 = add(c1, d1)));
  d1 = turn8(d1, (a1 = sum(a1, b1, v128.load(m, 80)))); b1 = turn7(b1, (c1 = add(c1, d1)));
  d2 = turn16(d2, (a2 = sum(a2, b2, v128.load(m, 128)))); b2 = turn12(b2, (c2 = add(c2, d2)));
  d2 = turn8(d2, (a2 = sum(a2, b2, v128.load(m, 192)))); b2 = turn7(b2, (c2 = add(c2, d2)));
  d3 = turn16(d3, (a3 = sum(a3, b3, v128.load(m, 240)))); b3 = turn12(b3, (c3 = add(c3, d3)));
  d3 = turn8(d3, (a3 = sum(a3, b3, v128.load(m, 16)))); b3 = turn7(b3, (c3 = add(c3, d3)));
  d3 = turn16(d3, (a0 = sum(a0, b1, v128.load(m, 208)))); b1 = turn12(b1, (c2 = add(c2, d3)));
  d3 = turn8(d3, (a0 = sum(a0, b1, v128.load(m, 48)))); b1 = turn7(b1, (c2 = add(c2, d3)));
  d0 = turn16(d0, (a1 = sum(a1, b2, v128.load(m, 0)))); b2 = turn12(b2, (c3 = add(c3, d0)));
  d0 = turn8(d0, (a1 = sum(a1, b2, v128.load(m, 160)))); b2 = turn7(b2, (c3 = add(c3, d0)));
  d1 = turn16(d1, (a2 = sum(a2, b3, v128.load(m, 32)))); b3 = turn12(b3, (c0 = add(c0, d1)));
  d1 = turn8(d1, (a2 = sum(a2, b3, v128.load(m, 96)))); b3 = turn7(b3, (c0 = add(c0, d1)));
  d2 = turn16(d2, (a3 = sum(a3, b0, v128.load(m, 64)))); b0 = turn12(b0, (c1 = add(c1, d2)));
  d2 = turn8(d2, (a3 = sum(a3, b0, v128.load(m, 112)))); b0 = turn7(b0, (c1 = add(c1, d2)));
  d0 = turn16(d0, (a0 = sum(a0, b0, v128.load(m, 176)))); b0 = turn12(b0, (c0 = add(c0, d0)));
  d0 = turn8(d0, (a0 = sum(a0, b0, v128.load(m, 240)))); b0 = turn7(b0, (c0 = add(c0, d0)));
  d1 = turn16(d1, (a1 = sum(a1, b1, v128.load(m, 80)))); b1 = turn12(b1, (c1 = add(c1, d1)));
  d1 = turn8(d1, (a1 = sum(a1, b1, v128.load(m, 0)))); b1 = turn7(b1, (c1 = add(c1, d1)));
  d2 = turn16(d2, (a2 = sum(a2, b2, v128.load(m, 16)))); b2 = turn12(b2, (c2 = add(c2, d2)));
  d2 = turn8(d2, (a2 = sum(a2, b2, v128.load(m, 144)))); b2 = turn7(b2, (c2 = add(c2, d2)));
  d3 = turn16(d3, (a3 = sum(a3, b3, v128.load(m, 128)))); b3 = turn12(b3, (c3 = add(c3, d3)));
  d3 = turn8(d3, (a3 = sum(a3, b3, v128.load(m, 96)))); b3 = turn7(b3, (c3 = add(c3, d3)));
  d3 = turn16(d3, (a0 = sum(a0, b1, v128.load(m, 224)))); b1 = turn12(b1, (c2 = add(c2, d3)));
  d3 = turn8(d3, (a0 = sum(a0, b1, v128.load(m, 160)))); b1 = turn7(b1, (c2 = add(c2, d3)));
  d0 = turn16(d0, (a1 = sum(a1, b2, v128.load(m, 32)))); b2 = turn12(b2, (c3 = add(c3, d0)));
  d0 = turn8(d0, (a1 = sum(a1, b2, v128.load(m, 192)))); b2 = turn7(b2, (c3 = add(c3, d0)));
  d1 = turn16(d1, (a2 = sum(a2, b3, v128.load(m, 48)))); b3 = turn12(b3, (c0 = add(c0, d1)));
  d1 = turn8(d1, (a2 = sum(a2, b3, v128.load(m, 64)))); b3 = turn7(b3, (c0 = add(c0, d1)));
  d2 = turn16(d2, (a3 = sum(a3, b0, v128.load(m, 112)))); b0 = turn12(b0, (c1 = add(c1, d2)));
  d2 = turn8(d2, (a3 = sum(a3, b0, v128.load(m, 208)))); b0 = turn7(b0, (c1 = add(c1, d2)));
  v128.store(s, v128.xor(a0, c0), 0); v128.store(s, v128.xor(a1, c1), 16);
  v128.store(s, v128.xor(a2, c2), 32); v128.store(s, v128.xor(a3, c3), 48);
  v128.store(s, v128.xor(b0, d0), 64); v128.store(s, v128.xor(b1, d1), 80);
  v128.store(s, v128.xor(b2, d2), 96); v128.store(s, v128.xor(b3, d3), 112);
}

// @ts-ignore: decorator
@inline function add(a: v128, b: v128): v128 {
  return i32x4.add(a, b);
}

/** In this order: `a` and the word are there long before `b`, on which all else waits. */
// @ts-ignore: decorator
@inline function sum(a: v128, b: v128, word: v128): v128 {
  return i32x4.add(i32x4.add(a, word), b);
}

// Turns by whole bytes are one instruction as a swizzle by a constant; as a shuffle they are more,
// because the engine makes the constant anew each time.

// @ts-ignore: decorator
@inline function turn16(d: v128, a: v128): v128 {
  const order = i8x16(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
  return i8x16.swizzle(v128.xor(d, a), order);
}

// @ts-ignore: decorator
@inline function turn8(d: v128, a: v128): v128 {
  const order = i8x16(1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12);
  return i8x16.swizzle(v128.xor(d, a), order);
}

// @ts-ignore: decorator
@inline function turn12(b: v128, c: v128): v128 {
  const mixed = v128.xor(b, c);
  return v128.or(i32x4.shr_u(mixed, 12), i32x4.shl(mixed, 20));
}

// @ts-ignore: decorator
@inline function turn7(b: v128, c: v128): v128 {
  const mixed = v128.xor(b, c);
  return v128.or(i32x4.shr_u(mixed, 7), i32x4.shl(mixed, 25));
}
