// The slow, obvious reading of lz4_Block_format.md (as published with lz4 1.9.4) that tests hold
// against the kernel. It knows nothing of speed and checks each rule where the format states it.

/**
 * The bytes of a block, or undefined when the block is broken or longer than `capacity`. Matches
 * may reach into what came `before`.
 */
export function lz4DecodeOracle(
  block: Uint8Array,
  capacity: number,
  before: Uint8Array = new Uint8Array(0),
): Uint8Array | undefined {
  const out = [...before];
  const room = before.length + capacity;
  let at = 0;
  /** The nibble's length and the bytes that go on with it; -1 past the end. */
  function lengthFrom(nibble: number): number {
    let length = nibble;
    if (nibble < 15) return length;
    for (;;) {
      const more = block[at++];
      if (more === undefined) return -1;
      length += more;
      if (more < 255) return length;
    }
  }
  while (at < block.length) {
    const token = block[at++];
    const literals = lengthFrom(token >> 4);
    if (literals < 0 || at + literals > block.length) return undefined;
    if (out.length + literals > room) return undefined;
    for (let i = 0; i < literals; i++) out.push(block[at++]);
    if (at === block.length) return Uint8Array.from(out.slice(before.length));
    if (at + 2 > block.length) return undefined;
    const distance = block[at] | (block[at + 1] << 8);
    at += 2;
    if (distance === 0 || distance > out.length) return undefined;
    const rest = lengthFrom(token & 15);
    if (rest < 0 || out.length + rest + 4 > room) return undefined;
    for (let i = 0; i < rest + 4; i++) out.push(out[out.length - distance]);
  }
  return undefined;
}

/**
 * A greedy encoder: the nearest earlier occurrence of 4 bytes, never reaching the last 5. The
 * reader has what came `before` too.
 */
export function lz4EncodeOracle(
  block: Uint8Array,
  before: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const out: number[] = [];
  const seen = new Map<number, number>();
  const input = new Uint8Array(before.length + block.length);
  input.set(before);
  input.set(block, before.length);
  const view = new DataView(input.buffer);
  for (let i = 0; i + 4 <= before.length; i++) seen.set(view.getUint32(i, true), i);
  let anchor = before.length;
  let at = anchor;
  while (at + 12 <= input.length) {
    const word = view.getUint32(at, true);
    const match = seen.get(word);
    seen.set(word, at);
    if (match === undefined || at - match > 65535) {
      at++;
      continue;
    }
    let length = 4;
    while (at + length < input.length - 5 && input[at + length] === input[match + length]) length++;
    putSequence(out, input.subarray(anchor, at), at - match, length);
    at += length;
    anchor = at;
  }
  putSequence(out, input.subarray(anchor), 0, 4);
  return Uint8Array.from(out);
}

/** Where each match of a sound block starts and ends in the output. */
export function lz4Matches(block: Uint8Array): { start: number; end: number }[] {
  const matches: { start: number; end: number }[] = [];
  let at = 0;
  let length = 0;
  function lengthFrom(nibble: number): number {
    let sum = nibble;
    if (nibble === 15) {
      let more = 255;
      while (more === 255) {
        more = block[at++];
        sum += more;
      }
    }
    return sum;
  }
  for (;;) {
    const token = block[at++];
    const literals = lengthFrom(token >> 4);
    at += literals;
    length += literals;
    if (at >= block.length) return matches;
    at += 2;
    const end = length + lengthFrom(token & 15) + 4;
    matches.push({ start: length, end });
    length = end;
  }
}

/** One sequence; without a distance it is the last one, which ends after its literals. */
function putSequence(out: number[], literals: Uint8Array, distance: number, length: number): void {
  out.push((Math.min(literals.length, 15) << 4) | Math.min(length - 4, 15));
  putLength(out, literals.length);
  for (const byte of literals) out.push(byte);
  if (distance === 0) return;
  out.push(distance & 255, distance >> 8);
  putLength(out, length - 4);
}

function putLength(out: number[], length: number): void {
  if (length < 15) return;
  let rest = length - 15;
  for (; rest >= 255; rest -= 255) out.push(255);
  out.push(rest);
}
