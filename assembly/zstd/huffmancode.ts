// Builds a Huffman code for literals: lengths of at most 11 bits, code words in the order that
// RFC 8878 §4.2.1 prescribes. It writes nothing of the frame (see huffmantree.ts).
//
//   counts ─ sort ─▶ symbols by count ─ two queues ─▶ leaves per length
//          ─ limit ─▶ leaves per length ─ rarest symbols get the longest ─▶ lengths ─▶ words

// @ts-ignore: decorator
@inline const MAX_BITS: u32 = 11;
// Parts of the work area: keys, keys again (and one more each), counters of the sort, weights and
// parents of inner nodes, leaves per length, first word per length, length per symbol.
// @ts-ignore: decorator
@inline const KEYS: usize = 0;
// @ts-ignore: decorator
@inline const KEYS_AGAIN: usize = 1040;
// @ts-ignore: decorator
@inline const COUNTERS: usize = 2080;
// @ts-ignore: decorator
@inline const WEIGHTS: usize = 4128;
// @ts-ignore: decorator
@inline const PARENTS: usize = 5168;
// @ts-ignore: decorator
@inline const LEAVES: usize = 6208;
// @ts-ignore: decorator
@inline const WORDS: usize = 6464;
// @ts-ignore: decorator
@inline const LENGTHS: usize = 6720;
/** Heavier than any node, once the symbol is shifted out as well. */
// @ts-ignore: decorator
@inline const HEAVY: u32 = 0xffffffff;
/** Bits of a count that one pass of the sort looks at. */
// @ts-ignore: decorator
@inline const DIGIT_BITS: u32 = 9;

/**
 * Builds the code of at least two symbols with these counts (u32[256], `total` in sum, `largest`
 * among them). Returns the bits of the longest word. `work` holds 7 KiB.
 */
export function buildHuffmanCode(
  counts: usize,
  total: u32,
  largest: u32,
  work: usize,
  code: usize,
): u32 {
  let symbols: u32 = 0;
  for (let symbol: u32 = 0; symbol < 256; symbol++) {
    const count = load<u32>(counts + (symbol << 2));
    store<u32>(work + (symbols << 2), (count << 8) | symbol, KEYS);
    symbols += <u32>(count != 0);
  }
  let sorted = work + KEYS_AGAIN;
  sortByDigit(work + KEYS, sorted, symbols, 8, min(largest, (1 << DIGIT_BITS) - 1), work);
  if (largest >> DIGIT_BITS) {
    sorted = work + KEYS;
    sortByDigit(work + KEYS_AGAIN, sorted, symbols, 8 + DIGIT_BITS, largest >> DIGIT_BITS, work);
  }
  countLeaves(sorted, symbols, work);
  // Few literals do not pay for a finely graded code, whose description is long.
  const fromTotal = min(MAX_BITS, 30 - clz(total - 1));
  const limit = min(MAX_BITS, max(fromTotal, 33 - clz(symbols - 1)));
  const bits = limitLengths(work + LEAVES, limit);
  writeWords(sorted, symbols, bits, work, code);
  return bits;
}

/** One pass of a radix sort, by the digit from `shift` on, which is at most `top`. */
function sortByDigit(
  from: usize,
  to: usize,
  symbols: u32,
  shift: u32,
  top: u32,
  work: usize,
): void {
  const counters = work + COUNTERS;
  const mask: u32 = (1 << DIGIT_BITS) - 1;
  memory.fill(counters, 0, (top + 1) << 2);
  for (let i: u32 = 0; i < symbols; i++) {
    const counter = counters + (((load<u32>(from + (i << 2)) >> shift) & mask) << 2);
    store<u32>(counter, load<u32>(counter) + 1);
  }
  let place: u32 = 0;
  for (let digit: u32 = 0; digit <= top; digit++) {
    const count = load<u32>(counters + (digit << 2));
    store<u32>(counters + (digit << 2), place);
    place += count;
  }
  for (let i: u32 = 0; i < symbols; i++) {
    const key = load<u32>(from + (i << 2));
    const counter = counters + (((key >> shift) & mask) << 2);
    const at = load<u32>(counter);
    store<u32>(counter, at + 1);
    store<u32>(to + (at << 2), key);
  }
}

/**
 * Counts the leaves of each level of a Huffman tree. Leaves and inner nodes wait in two queues,
 * each in the order of its weights, so the lightest of all is at the head of one. Which one it is
 * cannot be foretold, hence no branch asks: the head of the queue of inner nodes gets its parent
 * either way, and the last one to say so is right.
 */
function countLeaves(sorted: usize, symbols: u32, work: usize): void {
  const weights = work + WEIGHTS;
  const parents = work + PARENTS;
  const leaves = work + LEAVES;
  // The keys still have their symbols at the bottom, which makes ties certain.
  store<u32>(sorted + (symbols << 2), HEAVY);
  store<u32>(weights, HEAVY);
  let leaf = sorted;
  let root: usize = 0;
  const last = (symbols - 2) << 2;
  for (let node: usize = 0; node <= last; node += 4) {
    let weight: u32 = 0;
    for (let child: u32 = 0; child < 2; child++) {
      const outer = load<u32>(leaf) >> 8;
      const inner = load<u32>(weights + root);
      store<u32>(parents + root, <u32>node);
      const isInner = <u32>(inner < outer);
      weight += isInner ? inner : outer;
      root += isInner << 2;
      leaf += (isInner ^ 1) << 2;
    }
    store<u32>(weights + node, weight);
    store<u32>(weights + node, HEAVY, 4);
  }
  // From the root down, nodes turn from weights into levels.
  memory.fill(leaves, 0, 256);
  store<u32>(weights + last, 0);
  store<u32>(leaves, 1);
  for (let node = <i32>last - 4; node >= 0; node -= 4) {
    const level = load<u32>(weights + load<u32>(parents + node)) + 1;
    store<u32>(weights + node, level);
    const counter = leaves + (level << 2);
    store<u32>(counter, load<u32>(counter) + 1);
  }
  // So far these are inner nodes; the level below one has two places for each.
  let places: u32 = 1;
  for (let at = leaves; places != 0; at += 4) {
    const inner = load<u32>(at);
    store<u32>(at, places - inner);
    places = inner << 1;
  }
}

/** Moves leaves up to `limit`, at the expense of the next shorter words. Returns the longest. */
function limitLengths(leaves: usize, limit: u32): u32 {
  let longest: u32 = 0;
  let cells: u32 = 0;
  for (let bits: u32 = 1; bits < 64; bits++) {
    const count = load<u32>(leaves + (bits << 2));
    if (count == 0) continue;
    longest = min(bits, limit);
    cells += count << (limit - longest);
    if (bits > limit) {
      store<u32>(leaves + (limit << 2), load<u32>(leaves + (limit << 2)) + count);
    }
  }
  // A leaf of the last level moves beside a leaf of another, which goes a level down for it.
  for (; cells > <u32>1 << limit; cells--) {
    let bits = limit - 1;
    while (load<u32>(leaves + (bits << 2)) == 0) bits--;
    const at = leaves + (bits << 2);
    store<u32>(at, load<u32>(at) - 1);
    store<u32>(at, load<u32>(at, 4) + 2, 4);
    store<u32>(leaves + (limit << 2), load<u32>(leaves + (limit << 2)) - 1);
  }
  return longest;
}

/** Words of one length follow each other in the order of their symbols, from the longest on. */
function writeWords(sorted: usize, symbols: u32, longest: u32, work: usize, code: usize): void {
  memory.fill(work + LENGTHS, 0, 256);
  let first: u32 = 0;
  let next = sorted;
  for (let bits = longest; bits > 0; bits--) {
    store<u32>(work + (bits << 2), first, WORDS);
    const count = load<u32>(work + (bits << 2), LEAVES);
    first = (first + count) >> 1;
    for (const stop = next + (count << 2); next < stop; next += 4) {
      store<u8>(work + <usize>load<u8>(next), <u8>bits, LENGTHS);
    }
  }
  for (let symbol: u32 = 0; symbol < 256; symbol++) {
    const bits = <u32>load<u8>(work + symbol, LENGTHS);
    const word = load<u32>(work + (bits << 2), WORDS);
    store<u32>(work + (bits << 2), word + 1, WORDS);
    // A length of 0 shifts everything out.
    store<u64>(code + (symbol << 3), ((<u64>word << 1) << (63 - <u64>bits)) | <u64>bits);
  }
}
