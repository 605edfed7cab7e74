// Makes the prefix code of a DEFLATE block from the counts of its symbols, as zlib does: which of
// several best codes it is depends on the order in which equal weights leave the heap, so the heap
// and the repair of words that are too long are part of what is reproduced.
import { BY_LENGTH, DEPTHS, HEAP, ORDER, PARENTS } from "./layout";

// A place of the heap: weight (at most 16385) << 15 | depth of what hangs below << 10 | node.
// Trees of such weights are no deeper than 21. Equal weight and depth count as smaller.
// @ts-ignore: decorator
@inline const WEIGHT_SHIFT: u32 = 15;
// @ts-ignore: decorator
@inline const DEPTH_ONE: u32 = 1 << 10;
// @ts-ignore: decorator
@inline const DEPTH_MASK: u32 = 31 << 10;
// @ts-ignore: decorator
@inline const NODE_MASK: u32 = 1023;

/**
 * Writes the word (bits << 16 | word, its first bit lowest; 0 without one) of `symbols` symbols,
 * none longer than `limit` bits. Returns the highest symbol that has a word.
 */
export function makeCode(
  counts: usize,
  symbols: u32,
  limit: u32,
  words: usize,
  scratch: usize,
): u32 {
  const heap = scratch + HEAP;
  let size: u32 = 0;
  let highest: i32 = -1;
  for (let symbol: u32 = 0; symbol < symbols; symbol++) {
    const count = load<u32>(counts + (symbol << 2));
    if (count == 0) continue;
    store<u32>(heap + (++size << 2), (count << WEIGHT_SHIFT) | symbol);
    highest = symbol;
  }
  memory.fill(words, 0, symbols << 2);
  memory.fill(scratch + DEPTHS, 0, symbols);
  // The format wants two words at least, used or not.
  while (size < 2) {
    const symbol: u32 = highest < 2 ? ++highest : 0;
    store<u32>(heap + (++size << 2), (1 << WEIGHT_SHIFT) | symbol);
  }
  const nodes = joinNodes(symbols, size, scratch);
  setDepths(nodes, <u32>highest, limit, scratch);
  writeWords(<u32>highest, limit, words, scratch);
  return <u32>highest;
}

/** Joins the two lightest nodes until one is left. Returns how many nodes there are in ORDER. */
function joinNodes(symbols: u32, size: u32, scratch: usize): u32 {
  const heap = scratch + HEAP;
  const parents = scratch + PARENTS;
  for (let place = size >>> 1; place >= 1; place--) sink(heap, place, size);
  let order = scratch + ORDER;
  let node = symbols;
  do {
    const first = load<u32>(heap, 4);
    store<u32>(heap, load<u32>(heap + (size-- << 2)), 4);
    sink(heap, 1, size);
    const second = load<u32>(heap, 4);
    store<u16>(order, <u16>(first & NODE_MASK));
    store<u16>(order, <u16>(second & NODE_MASK), 2);
    order += 4;
    store<u16>(parents + ((first & NODE_MASK) << 1), <u16>node);
    store<u16>(parents + ((second & NODE_MASK) << 1), <u16>node);
    const weight = (first >>> WEIGHT_SHIFT) + (second >>> WEIGHT_SHIFT);
    const depth = max(first & DEPTH_MASK, second & DEPTH_MASK) + DEPTH_ONE;
    store<u32>(heap, (weight << WEIGHT_SHIFT) | depth | node, 4);
    node++;
    sink(heap, 1, size);
  } while (size >= 2);
  store<u16>(order, <u16>(node - 1));
  return <u32>((order - scratch - ORDER) >>> 1) + 1;
}

/** Moves what is at a place down to where nothing below it is smaller. */
function sink(heap: usize, place: u32, size: u32): void {
  const sunk = load<u32>(heap + (place << 2));
  for (let below = place << 1; below <= size; below = place << 1) {
    let least = load<u32>(heap + (below << 2));
    if (below < size) {
      const other = load<u32>(heap + (below << 2), 4);
      const isOther = other <= (least | NODE_MASK);
      least = isOther ? other : least;
      below += u32(isOther);
    }
    if (sunk <= (least | NODE_MASK)) break;
    store<u32>(heap + (place << 2), least);
    place = below;
  }
  store<u32>(heap + (place << 2), sunk);
}

/** The bits of each node, and how many symbols have how many. */
function setDepths(nodes: u32, highest: u32, limit: u32, scratch: usize): void {
  const order = scratch + ORDER;
  const depths = scratch + DEPTHS;
  const byLength = scratch + BY_LENGTH;
  memory.fill(byLength, 0, 64);
  let excess: i32 = 0;
  store<u8>(depths + load<u16>(order + ((nodes - 1) << 1)), 0);
  for (let i = nodes - 1; i-- > 0; ) {
    const node = <u32>load<u16>(order + (i << 1));
    const parent = <u32>load<u16>(scratch + (node << 1), PARENTS);
    let bits = <u32>load<u8>(depths + parent) + 1;
    if (bits > limit) {
      bits = limit;
      excess++;
    }
    store<u8>(depths + node, <u8>bits);
    if (node <= highest) add(byLength, bits, 1);
  }
  if (excess > 0) cutDepths(excess, highest, limit, scratch);
}

/** Makes words that were cut to the limit fit together again, the longest for the lightest. */
function cutDepths(excess: i32, highest: u32, limit: u32, scratch: usize): void {
  const byLength = scratch + BY_LENGTH;
  for (; excess > 0; excess -= 2) {
    let bits = limit - 1;
    while (load<u32>(byLength + (bits << 2)) == 0) bits--;
    // One symbol moves a bit down, and takes one of those that are too deep as its brother.
    add(byLength, bits, -1);
    add(byLength, bits + 1, 2);
    add(byLength, limit, -1);
  }
  let order = scratch + ORDER;
  for (let bits = limit; bits > 0; bits--) {
    for (let left = load<u32>(byLength + (bits << 2)); left > 0; order += 2) {
      const node = <u32>load<u16>(order);
      if (node > highest) continue;
      store<u8>(scratch + node, <u8>bits, DEPTHS);
      left--;
    }
  }
}

// @ts-ignore: decorator
@inline
function add(byLength: usize, bits: u32, change: i32): void {
  const place = byLength + (bits << 2);
  store<u32>(place, load<u32>(place) + change);
}

/** Numbers the words of each length in the order of their symbols. */
function writeWords(highest: u32, limit: u32, words: usize, scratch: usize): void {
  const byLength = scratch + BY_LENGTH;
  let word: u32 = 0;
  for (let bits: u32 = 1; bits <= limit; bits++) {
    const place = byLength + (bits << 2);
    const count = load<u32>(place);
    store<u32>(place, word);
    word = (word + count) << 1;
  }
  for (let symbol: u32 = 0; symbol <= highest; symbol++) {
    const bits = <u32>load<u8>(scratch + symbol, DEPTHS);
    if (bits == 0) continue;
    const next = byLength + (bits << 2);
    const plain = load<u32>(next);
    store<u32>(next, plain + 1);
    store<u32>(words + (symbol << 2), (bits << 16) | reversed(plain, bits));
  }
}

/** The `count` lowest bits in the opposite order. */
// @ts-ignore: decorator
@inline
export function reversed(bits: u32, count: u32): u32 {
  bits = ((bits & 0x5555) << 1) | ((bits >>> 1) & 0x5555);
  bits = ((bits & 0x3333) << 2) | ((bits >>> 2) & 0x3333);
  bits = ((bits & 0x0f0f) << 4) | ((bits >>> 4) & 0x0f0f);
  bits = ((bits & 0x00ff) << 8) | (bits >>> 8);
  return bits >>> (16 - count);
}
