// The match finder of Zstandard level 2: weighs all ways through a stretch of input by their
// price (prices.ts) and takes the cheapest. Matches of three bytes are weighed too: in pages they
// are what two pointers share, and worth a tenth of the size. It writes what matchfast.ts writes.
//
// A stretch ends where all ways have come together, or where a match is so long that it is taken
// unweighed (ways.ts).
import { clearCandidates, lookAt, lookFrom, SEARCH_MARGIN, skipTo } from "./candidates";
import {
  clearNodes,
  lengthAt,
  linkMatches,
  literalsAt,
  NODE_BYTES,
  NODES,
  nextMatch,
  offsetCodeAt,
  offsetsAfter,
} from "./nodes";
import { FIRST_OFFSETS, isHopeless, LONG_LENGTH, LONG_OFFSET } from "./offers";
import { countLiterals, countSequence, fadeCounts, guessCounts, setPrices } from "./prices";
import {
  copyLiterals,
  initState,
  lastLiterals,
  putSequence,
  SEQUENCE_BYTES,
  STATE_FRAME,
} from "./sequence";
import { weigh } from "./ways";

/** Prices are made anew so often. */
// @ts-ignore: decorator
@inline const PRICED_BYTES: usize = 4096;
// The search goes a byte further per 2^9 literals in a row, so that noise costs less.
// @ts-ignore: decorator
@inline const SKIP_LOG: usize = 9;
/** In longer steps, what is stepped over is not entered; in still longer ones nothing is looked up
 * ahead either, since little of that would be used. */
// @ts-ignore: decorator
@inline const SHORT_STEP: usize = 4;
// @ts-ignore: decorator
@inline const LONG_STEP: usize = 16;
/** Of a long match, only so many bytes at its end are entered: the others were before. */
// @ts-ignore: decorator
@inline const LONG_TAIL: usize = 32;

/** Once per frame, before its first block. */
export function findOptimalInit(state: usize, frameLength: u32): void {
  initState(state, frameLength);
  clearCandidates(state);
  clearNodes(state);
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
  let ip = max(blockStart, frameStart + FIRST_OFFSETS);
  let priced = ip + PRICED_BYTES;
  lookFrom(state, blockStart);
  while (ip + SEARCH_MARGIN <= blockEnd) {
    const step: usize = 1 + ((ip - anchor) >>> SKIP_LOG);
    if (step > LONG_STEP) lookAt(state, ip);
    else if (step > SHORT_STEP) skipTo(state, ip);
    if (isHopeless(ip, ip - anchor, blockEnd, state)) {
      ip += step;
      continue;
    }
    store<u32>(state, 0, LONG_LENGTH);
    const node = weigh(ip, blockEnd, state, <u32>(ip - anchor));
    for (let end = linkMatches(nodes, node); end != 0; end = nextMatch(end)) {
      const to = ip + (end - nodes) / NODE_BYTES;
      const from = to - lengthAt(end);
      write(sq, op, anchor, from, to, offsetCodeAt(end), state);
      sq += SEQUENCE_BYTES;
      op += from - anchor;
      anchor = to;
    }
    const at = ip + (node - nodes) / NODE_BYTES;
    const long = <usize>load<u32>(state, LONG_LENGTH);
    if (long != 0) {
      const code = load<u32>(state, LONG_OFFSET);
      offsetsAfter(state, state, 4, code, literalsAt(node));
      write(sq, op, anchor, at, at + long, code, state);
      sq += SEQUENCE_BYTES;
      op += at - anchor;
      anchor = at + long;
      skipTo(state, anchor - LONG_TAIL);
    }
    // A stretch of no node and no long match: nothing was worth an offer.
    ip = max(at + long, ip + <usize>(at == ip));
    if (ip >= priced) {
      setPrices(state);
      priced = ip + PRICED_BYTES;
    }
  }
  countLiterals(state, anchor, blockEnd);
  lastLiterals(op, anchor, blockEnd, literals, state);
  return <u32>((sq - sequences) / SEQUENCE_BYTES);
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
