// The ways through a stretch of input, for the optimal match finder: its nodes (nodes.ts) are
// settled from the left to the right, each by the cheapest way known to get there.
import { SEARCH_MARGIN } from "./candidates";
import {
  ARRAY,
  clear,
  copyOffsets,
  LITERALS,
  LONG_MATCH,
  makeOffsets,
  NODE_BYTES,
  NODES,
  OFFSETS,
  STRETCH,
  UNREACHED,
} from "./nodes";
import { offerMatches } from "./offers";
import { BYTE_PRICES, LITERAL_PRICES, literalsPrice } from "./prices";

/** Four bits: where the next byte is reached for so little more, no better way will begin. At two
 * bits the search would take a tenth more time and frames would be 0.4 % smaller. */
// @ts-ignore: decorator
@inline const UNLIKELY_PRICE: u32 = 1024;

/**
 * Settles nodes until all ways have come together or a long match is found, behind so many literals
 * that belong to no sequence yet. Returns the last node; the state gets its repeat offsets.
 */
export function weigh(from: usize, blockEnd: usize, state: usize, before: u32): usize {
  const first = state + NODES;
  const stretchEnd = min(blockEnd - SEARCH_MARGIN, from + STRETCH);
  store<u32>(first, before, LITERALS);
  copyOffsets(first + OFFSETS, ARRAY, state, 4);
  let node = first;
  let last = first;
  let at = from;
  let literals = before;
  let literalsCost = literalsPrice(state, before);
  let price = literalsCost;
  // Repeat offsets are made only where they are asked for.
  let owner = first;
  let known = first;
  let isLikely = true;
  while (true) {
    if (isLikely) {
      if (owner != known) makeOffsets(owner, first);
      known = owner;
      const reached = offerMatches(node, at, blockEnd, state, owner, price);
      if (reached == 0) {
        // Shorter matches were offered before the long one was found.
        const end = max(last, node + LONG_MATCH * NODE_BYTES);
        clear(node + NODE_BYTES, end + NODE_BYTES);
        break;
      }
      last = max(last, reached);
      if (node == last) break;
    }
    node += NODE_BYTES;
    const more = literalsPrice(state, ++literals);
    price += load<u32>(state + (<usize>load<u8>(at++) << 2), BYTE_PRICES) + more - literalsCost;
    const offered = load<u32>(node);
    store<u32>(node, UNREACHED);
    const isMatch = offered <= price;
    price = isMatch ? offered : price;
    literals = isMatch ? 0 : literals;
    literalsCost = isMatch ? load<u32>(state, LITERAL_PRICES) : more;
    owner = isMatch ? node : owner;
    store<u32>(node, literals, LITERALS);
    if (node == last) break;
    const isCheap = load<u32>(node, NODE_BYTES) <= price + UNLIKELY_PRICE;
    isLikely = !isCheap && at <= stretchEnd;
  }
  if (owner != known) makeOffsets(owner, first);
  copyOffsets(state, 4, owner + OFFSETS, ARRAY);
  return node;
}
