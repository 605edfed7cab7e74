// The match finder of Zstandard level 1: greedy, one table of positions. It writes sequence records
// (sequence.ts) and the literals between them; it knows nothing of blocks' headers or entropy.
//
// State: u32 repeat offsets 1, 2, 3 | u32 literal bytes of the last call | u32 0 | the table.

// @ts-ignore: decorator
@inline const TABLE: usize = 32;
// @ts-ignore: decorator
@inline const TABLE_LOG: u32 = 14;
// @ts-ignore: decorator
@inline const MIN_MATCH: usize = 4;
// @ts-ignore: decorator
@inline const SEARCH_MARGIN: usize = 12;
// @ts-ignore: decorator
@inline const SKIP_LOG: u32 = 6;

/** Once per frame. Places that are empty read as the start of the frame, a candidate like any. */
export function findFastInit(state: usize, frameLength: u32): void {
  store<u32>(state, 1);
  store<u32>(state, 4, 4);
  store<u32>(state, 8, 8);
  memory.fill(state + TABLE, 0, 4 << TABLE_LOG);
}

/** Sequences found in a block whose frame starts at `frameStart`. */
export function findFast(
  frameStart: usize,
  blockStart: usize,
  blockEnd: usize,
  state: usize,
  sequences: usize,
  literals: usize,
): u32 {
  const table = state + TABLE;
  let rep1 = <usize>load<u32>(state);
  let rep2 = <usize>load<u32>(state, 4);
  let rep3 = <usize>load<u32>(state, 8);
  let anchor = blockStart;
  let op = literals;
  let sq = sequences;
  let ip = blockStart;
  if (blockEnd - blockStart > SEARCH_MARGIN) {
    const searchEnd = blockEnd - SEARCH_MARGIN;
    if (ip == frameStart) ip++;
    while (ip <= searchEnd) {
      let match: usize;
      let length: usize;
      let offBase: u32;
      const word = load<u64>(ip);
      const place = placeOf(word, table);
      match = frameStart + <usize>load<u32>(place);
      store<u32>(place, <u32>(ip - frameStart));
      const again = ip + 1 - rep1;
      if (again >= frameStart && load<u32>(again) == <u32>(word >> 8)) {
        ip++;
        length = MIN_MATCH + equalAhead(ip + MIN_MATCH, again + MIN_MATCH, blockEnd);
        offBase = 1;
      } else if (load<u32>(match) == <u32>word) {
        const distance = ip - match;
        length = MIN_MATCH + equalAhead(ip + MIN_MATCH, match + MIN_MATCH, blockEnd);
        while (ip > anchor && match > frameStart && load<u8>(ip - 1) == load<u8>(match - 1)) {
          ip--;
          match--;
          length++;
        }
        offBase = <u32>distance + 3;
        rep3 = rep2;
        rep2 = rep1;
        rep1 = distance;
      } else {
        ip += ((ip - anchor) >>> SKIP_LOG) + 1;
        continue;
      }
      const run = ip - anchor;
      v128.store(op, v128.load(anchor));
      for (let done: usize = 16; done < run; done += 16) {
        v128.store(op + done, v128.load(anchor + done));
      }
      op += run;
      store<u32>(sq, <u32>run);
      store<u32>(sq, <u32>length, 4);
      store<u32>(sq, offBase, 8);
      sq += 12;
      ip += length;
      anchor = ip;
      if (ip > searchEnd) break;
      store<u32>(placeOf(load<u64>(ip - 2), table), <u32>(ip - 2 - frameStart));
      // With no literals before it, code 1 names the second offset, and the two change places.
      while (
        ip <= searchEnd &&
        ip - rep2 >= frameStart &&
        load<u32>(ip) == load<u32>(ip - rep2)
      ) {
        length = MIN_MATCH + equalAhead(ip + MIN_MATCH, ip + MIN_MATCH - rep2, blockEnd);
        const swapped = rep2;
        rep2 = rep1;
        rep1 = swapped;
        store<u32>(placeOf(load<u64>(ip), table), <u32>(ip - frameStart));
        store<u32>(sq, 0);
        store<u32>(sq, <u32>length, 4);
        store<u32>(sq, 1, 8);
        sq += 12;
        ip += length;
        anchor = ip;
      }
    }
  }
  memory.copy(op, anchor, blockEnd - anchor);
  op += blockEnd - anchor;
  store<u32>(state, <u32>rep1);
  store<u32>(state, <u32>rep2, 4);
  store<u32>(state, <u32>rep3, 8);
  store<u32>(state, <u32>(op - literals), 12);
  return <u32>(sq - sequences) / 12;
}

// @ts-ignore: decorator
@inline
function placeOf(word: u64, table: usize): usize {
  return table + (<usize>(((word << 24) * 0x9e3779b185ebca87) >>> (64 - TABLE_LOG)) << 2);
}

/** How many bytes from `a` and `b` on are equal, `a` staying below `limit`. */
// @ts-ignore: decorator
@inline
function equalAhead(a: usize, b: usize, limit: usize): usize {
  const from = a;
  while (a + 8 <= limit) {
    const differing = load<u64>(a) ^ load<u64>(b);
    if (differing != 0) return a + <usize>(ctz(differing) >>> 3) - from;
    a += 8;
    b += 8;
  }
  while (a < limit && load<u8>(a) == load<u8>(b)) {
    a++;
    b++;
  }
  return a - from;
}
