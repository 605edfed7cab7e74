// The match finder of Zstandard level 2: weighs all ways through a stretch of input by their
// price (prices.ts) and takes the cheapest. Matches of three bytes are weighed too: in pages they
// are what two pointers share, and worth a tenth of the size. It writes what matchfast.ts writes.
//
// A stretch ends where all ways have come together, or where a match is so long that it is taken
// unweighed (ways.ts).
import { clearCandidates, enter } from "./candidates";
import { countLiterals, countSequence, fadeCounts, guessCounts, setPrices } from "./prices";
import {
  copyLiterals,
  initState,
  lastLiterals,
  putSequence,
  SEQUENCE_BYTES,
  STATE_FRAME,
} from "./sequence";
import {
  beginWays,
  copyOffsets,
  isUnlikely,
  LONG_LENGTH,
  LONG_OFFSET,
  lengthAt,
  linkMatches,
  literalsAt,
  NODE_BYTES,
  NODES,
  nextMatch,
  OFFSETS,
  offerMatches,
  offsetCodeAt,
  offsetsAfter,
  STRETCH,
  settle,
} from "./ways";

/** Prices are made anew so often. */
// @ts-ignore: decorator
@inline const PRICED_BYTES: usize = 4096;
// The search goes a byte further per 2^9 literals in a row, so that noise costs less.
// @ts-ignore: decorator
@inline const SKIP_LOG: usize = 9;
/** From the last position that is searched, 8 bytes behind a match of 8 can be read. */
// @ts-ignore: decorator
@inline const SEARCH_MARGIN: usize = 16;

/** Once per frame, before its first block. */
export function findOptimalInit(state: usize, frameLength: u32): void {
  initState(state, frameLength);
  clearCandidates(state);
}

/** The number of sequences found in a block of the frame that starts at `frameStart`. */
export function findOptimal(
  frameStart: usize,
  blockStart: usize,
  blockEnd: usize,
  state: usize,
  sequences: usize,
  literals: usize,
): u32 {
  if (load<u32>(state, STATE_FRAME) == 0) guessCounts(state, blockStart, blockEnd);
  else fadeCounts(state);
  store<u32>(state, <u32>frameStart, STATE_FRAME);
  setPrices(state);
  const nodes = state + NODES;
  let anchor = blockStart;
  let op = literals;
  let sq = sequences;
  let ip = blockStart;
  let priced = ip + PRICED_BYTES;
  while (ip + SEARCH_MARGIN <= blockEnd) {
    beginWays(state, ip - anchor);
    const node = weigh(ip, blockEnd, state);
    const long = <usize>load<u32>(state, LONG_LENGTH);
    let at = ip + (node - nodes) / NODE_BYTES;
    for (let end = linkMatches(nodes, node); end != 0; end = nextMatch(end)) {
      const to = ip + (end - nodes) / NODE_BYTES;
      const from = to - lengthAt(end);
      write(sq, op, anchor, from, to, offsetCodeAt(end), state);
      sq += SEQUENCE_BYTES;
      op += from - anchor;
      anchor = to;
    }
    copyOffsets(state, node + OFFSETS);
    if (long != 0) {
      const code = load<u32>(state, LONG_OFFSET);
      offsetsAfter(state, state, code, literalsAt(node));
      write(sq, op, anchor, at, at + long, code, state);
      sq += SEQUENCE_BYTES;
      op += at - anchor;
      anchor = at + long;
      while (++at < anchor) if (at + SEARCH_MARGIN <= blockEnd) enter(at, frameStart, state);
    }
    // A stretch of no node is a byte that nothing matches; it has been entered.
    ip = at + <usize>(at == ip) + ((at - anchor) >>> SKIP_LOG);
    if (ip >= priced) {
      setPrices(state);
      priced = ip + PRICED_BYTES;
    }
  }
  countLiterals(state, anchor, blockEnd);
  lastLiterals(op, anchor, blockEnd, literals, state);
  return <u32>((sq - sequences) / SEQUENCE_BYTES);
}

/** Settles nodes until all ways have come together or a long match is found; returns the last. */
function weigh(from: usize, blockEnd: usize, state: usize): usize {
  const frameStart = <usize>load<u32>(state, STATE_FRAME);
  const searchEnd = blockEnd - SEARCH_MARGIN;
  const stretchEnd = min(searchEnd, from + STRETCH);
  let node = state + NODES;
  let at = from;
  let last = offerMatches(node, at, blockEnd, state, node);
  while (node < last && load<u32>(state, LONG_LENGTH) == 0) {
    node += NODE_BYTES;
    settle(node, <usize>load<u8>(at++), state);
    if (node == last) break;
    if (at <= stretchEnd && !isUnlikely(node)) {
      last = offerMatches(node, at, blockEnd, state, last);
    } else if (at <= searchEnd) enter(at, frameStart, state);
  }
  return node;
}

/** Writes a sequence with the literals before it, and counts them. */
function write(
  sequence: usize,
  literals: usize,
  anchor: usize,
  from: usize,
  to: usize,
  offBase: u32,
  state: usize,
): void {
  copyLiterals(literals, anchor, from - anchor);
  putSequence(sequence, from - anchor, to - from, <usize>offBase);
  countLiterals(state, anchor, from);
  countSequence(state, <u32>(from - anchor), <u32>(to - from), offBase);
}
