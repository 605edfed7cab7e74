// The slow, obvious reading of RFC 8878 that tests hold against the kernels: frames without a
// dictionary. Bits are taken one by one, tables are lists. It throws at the first broken rule and
// demands what the format lets an encoder do carelessly: streams must end at their first bit.
import { xxh64 } from "./xxh64.ts";

const MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
/** Our own limit. */
const WINDOW_MAX = 1 << 27;
const BLOCK_MAX = 131072;
/** Extra bits and first values of the codes that are no values themselves (§3.1.1.3.2.1.1). */
const LITERAL_BITS = [...Array(16).fill(0), 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13];
const MATCH_BITS = [...Array(32).fill(0), 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13];
for (const bits of [LITERAL_BITS, MATCH_BITS]) bits.push(14, 15, 16);
/** Predefined shares (§3.1.1.3.2.2), and the most bits that a described table may have. */
const KINDS = [
  {
    bits: 6,
    most: 9,
    shares: [
      4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1,
      1, -1, -1, -1, -1,
    ],
  },
  {
    bits: 5,
    most: 8,
    shares: [
      1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1,
    ],
  },
  {
    bits: 6,
    most: 9,
    shares: [
      1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
      1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
    ],
  },
];

function must(holds: boolean, rule: string): asserts holds {
  if (!holds) throw new Error(`zstd oracle: ${rule}`);
}

/** First values of lengths: those of a code follow those of the code before. */
function baselines(bits: readonly number[], first: number): number[] {
  let next = first;
  return bits.map((width) => {
    const own = next;
    next += 2 ** width;
    return own;
  });
}
const LITERAL_BASES = baselines(LITERAL_BITS, 0);
const MATCH_BASES = baselines(MATCH_BITS, 3);

/** Reads bits from the end, where a set bit marks the first; below the beginning lie zeros. */
class BackwardBits {
  private readonly bytes: Uint8Array;
  /** Bits left; negative when more were taken than there are. */
  left: number;
  constructor(bytes: Uint8Array) {
    const last = bytes.at(-1);
    must(last !== undefined && last !== 0, "a stream ends without its mark");
    this.bytes = bytes;
    this.left = bytes.length * 8 - 1 - (Math.clz32(last) - 24);
  }
  take(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++) {
      this.left--;
      const bit = this.left < 0 ? 0 : (this.bytes[this.left >> 3] >> (this.left & 7)) & 1;
      value = value * 2 + bit;
    }
    return value;
  }
}

interface Table {
  bits: number;
  /** By state: what it stands for, and where the next one is. */
  cells: { symbol: number; bits: number; base: number }[];
}

/** Shares and bits of a described table, and the bytes of the description (§4.1.1). */
function readShares(bytes: Uint8Array, mostBits: number) {
  let at = 0;
  const peek = (count: number) => {
    let value = 0;
    for (let i = 0; i < count; i++) {
      must((at + i) >> 3 < bytes.length, "a description goes past its end");
      value += ((bytes[(at + i) >> 3] >> ((at + i) & 7)) & 1) * 2 ** i;
    }
    return value;
  };
  const bits = peek(4) + 5;
  must(bits <= mostBits, `a table of ${bits} bits`);
  at = 4;
  const shares: number[] = [];
  for (let left = 2 ** bits; left > 0; ) {
    // One of left + 2 values; those below `short` take a bit less.
    const width = 32 - Math.clz32(left + 1);
    const short = 2 ** width - (left + 2);
    let value = peek(width - 1);
    at += width - 1;
    if (value >= short) {
      const high = peek(1);
      at++;
      value = high === 0 ? value : value + 2 ** (width - 1) - short;
    }
    shares.push(value - 1);
    left -= Math.abs(value - 1);
    must(left >= 0, "shares exceed their table");
    for (let zeros = value === 1 ? 3 : 0; zeros === 3; ) {
      zeros = peek(2);
      at += 2;
      shares.push(...Array(zeros).fill(0));
    }
  }
  return { shares, bits, byteLength: (at + 7) >> 3 };
}

function tableOf(shares: readonly number[], bits: number): Table {
  const size = 2 ** bits;
  const symbols: number[] = Array(size).fill(-1);
  let high = size;
  shares.forEach((share, symbol) => {
    if (share === -1) symbols[--high] = symbol;
  });
  let at = 0;
  shares.forEach((share, symbol) => {
    for (let i = 0; i < share; i++) {
      symbols[at] = symbol;
      do at = (at + (size >> 1) + (size >> 3) + 3) % size;
      while (at >= high);
    }
  });
  must(at === 0 && symbols.every((symbol) => symbol >= 0), "shares do not fill their table");
  const next = shares.map(Math.abs);
  const cells = symbols.map((symbol) => {
    const state = next[symbol]++;
    const width = bits - (31 - Math.clz32(state));
    return { symbol, bits: width, base: state * 2 ** width - size };
  });
  return { bits, cells };
}

/** By word of `bits` bits: the literal and the length of its word (§4.2.1). */
interface Huffman {
  bits: number;
  cells: { symbol: number; bits: number }[];
}

function readHuffman(bytes: Uint8Array): { huffman: Huffman; byteLength: number } {
  const head = bytes[0];
  must(head !== undefined, "a tree without a head");
  let weights: number[] = [];
  const byteLength = head < 128 ? 1 + head : 1 + ((head - 126) >> 1);
  must(byteLength <= bytes.length, "a tree goes past its end");
  if (head < 128) weights = readWeights(bytes.subarray(1, byteLength));
  else {
    for (let i = 0; i < head - 127; i++) {
      const pair = bytes[1 + (i >> 1)];
      weights.push(i % 2 === 0 ? pair >> 4 : pair & 15);
    }
  }
  const cellsOf = (weight: number) => (weight > 0 ? 2 ** (weight - 1) : 0);
  const known = weights.reduce((sum, weight) => sum + cellsOf(weight), 0);
  must(known > 0, "a tree of nothing");
  const bits = 32 - Math.clz32(known);
  must(bits <= 11, `words of ${bits} bits`);
  const rest = 2 ** bits - known;
  must((rest & (rest - 1)) === 0, "the last weight is no power of two");
  weights.push(32 - Math.clz32(rest));
  must(weights.length <= 256, "more weights than bytes have values");
  const cells: Huffman["cells"] = [];
  for (let weight = 1; weight <= bits; weight++) {
    weights.forEach((own, symbol) => {
      if (own !== weight) return;
      for (let i = 0; i < cellsOf(weight); i++) cells.push({ symbol, bits: bits + 1 - weight });
    });
  }
  return { huffman: { bits, cells }, byteLength };
}

/** Two states in turn, until the bits are used up (§4.2.1.2). */
function readWeights(bytes: Uint8Array): number[] {
  const { shares, bits, byteLength } = readShares(bytes, 6);
  const { cells } = tableOf(shares, bits);
  const stream = new BackwardBits(bytes.subarray(byteLength));
  const states = [stream.take(bits), stream.take(bits)];
  must(stream.left >= 0, "a tree without weights");
  const weights: number[] = [];
  for (let turn = 0; ; turn ^= 1) {
    const cell = cells[states[turn]];
    weights.push(cell.symbol);
    must(weights.length < 255, "a tree of too many weights");
    states[turn] = cell.base + stream.take(cell.bits);
    if (stream.left < 0) {
      weights.push(cells[states[turn ^ 1]].symbol);
      return weights;
    }
  }
}

function readStream(bytes: Uint8Array, { bits, cells }: Huffman, count: number): number[] {
  const stream = new BackwardBits(bytes);
  const out: number[] = [];
  for (let i = 0; i < count; i++) {
    const start = stream.left;
    const cell = cells[stream.take(bits)];
    stream.left = start - cell.bits;
    out.push(cell.symbol);
  }
  must(stream.left === 0, `literals leave ${stream.left} bits`);
  return out;
}

/** What one block leaves to the next. */
interface Memory {
  huffman?: Huffman;
  tables: (Table | undefined)[];
  repeats: number[];
}

/** What a test may want to know of a frame beside its content. */
export interface Seen {
  blocks: ("raw" | "run" | "compressed")[];
  literals: ("raw" | "run" | "compressed" | "treeless")[];
  /** Of each section: modes of literal lengths, offsets, match lengths. */
  modes: string[];
  streams: number[];
}

function readLiterals(bytes: Uint8Array, memory: Memory, seen: Seen) {
  const kind = bytes[0] & 3;
  const form = (bytes[0] >> 2) & 3;
  const number = (from: number, count: number) => {
    let value = 0;
    for (let i = 0; i < count; i++)
      value += ((bytes[(from + i) >> 3] >> ((from + i) & 7)) & 1) * 2 ** i;
    return value;
  };
  seen.literals.push((["raw", "run", "compressed", "treeless"] as const)[kind]);
  if (kind < 2) {
    const count = form === 1 ? number(4, 12) : form === 3 ? number(4, 20) : number(3, 5);
    const head = form === 1 ? 2 : form === 3 ? 3 : 1;
    const literals =
      kind === 0 ? bytes.subarray(head, head + count) : Array(count).fill(bytes[head]);
    must(literals.length === count && count <= BLOCK_MAX, "literals go past the block");
    return { literals: [...literals], byteLength: head + (kind === 0 ? count : 1) };
  }
  const width = [10, 10, 14, 18][form];
  const head = [3, 3, 4, 5][form];
  const count = number(4, width);
  const byteLength = head + number(4 + width, width);
  must(byteLength <= bytes.length && count <= BLOCK_MAX, "literals go past the block");
  let body = bytes.subarray(head, byteLength);
  if (kind === 2) {
    const tree = readHuffman(body);
    memory.huffman = tree.huffman;
    body = body.subarray(tree.byteLength);
  }
  const { huffman } = memory;
  must(huffman !== undefined, "no tree to repeat");
  seen.streams.push(form === 0 ? 1 : 4);
  if (form === 0) return { literals: readStream(body, huffman, count), byteLength };
  const part = (count + 3) >> 2;
  const sizes = [0, 2, 4].map((at) => body[at] | (body[at + 1] << 8));
  const literals: number[] = [];
  let at = 6;
  sizes.forEach((size) => {
    literals.push(...readStream(body.subarray(at, at + size), huffman, part));
    at += size;
  });
  literals.push(...readStream(body.subarray(at), huffman, count - 3 * part));
  return { literals, byteLength };
}

function readTables(bytes: Uint8Array, modes: number, memory: Memory): number {
  let at = 0;
  KINDS.forEach(({ bits, most, shares }, kind) => {
    const mode = (modes >> (6 - 2 * kind)) & 3;
    if (mode === 0) memory.tables[kind] = tableOf(shares, bits);
    else if (mode === 1) {
      memory.tables[kind] = { bits: 0, cells: [{ symbol: bytes[at++], bits: 0, base: 0 }] };
    } else if (mode === 2) {
      const read = readShares(bytes.subarray(at), most);
      memory.tables[kind] = tableOf(read.shares, read.bits);
      at += read.byteLength;
    }
  });
  return at;
}

/** The distance of a sequence, after which the list of repeats is up to date (§3.1.1.5). */
function distanceOf(offBase: number, literals: number, repeats: number[]): number {
  if (offBase > 3) {
    repeats.unshift(offBase - 3);
    repeats.pop();
    return offBase - 3;
  }
  const place = offBase - 1 + (literals === 0 ? 1 : 0);
  const distance = place === 3 ? repeats[0] - 1 : repeats[place];
  must(distance > 0, "a distance of 0");
  repeats.splice(Math.min(place, 2), 1);
  repeats.unshift(distance);
  return distance;
}

function readBlock(bytes: Uint8Array, memory: Memory, out: number[], seen: Seen): void {
  const { literals, byteLength } = readLiterals(bytes, memory, seen);
  let at = byteLength;
  let count = bytes[at++];
  must(count !== undefined, "a block without sequences section");
  if (count === 255) {
    count = 0x7f00 + bytes[at] + bytes[at + 1] * 256;
    at += 2;
  } else if (count > 127) count = (count - 128) * 256 + bytes[at++];
  let literal = 0;
  if (count > 0) {
    const modes = bytes[at++];
    must((modes & 3) === 0, "reserved bits of the modes");
    seen.modes.push(`${modes >> 6}${(modes >> 4) & 3}${(modes >> 2) & 3}`);
    at += readTables(bytes.subarray(at), modes, memory);
    const tables = memory.tables.filter((table) => table !== undefined);
    must(tables.length === 3, "no table to repeat");
    const stream = new BackwardBits(bytes.subarray(at));
    const states = tables.map(({ bits }) => stream.take(bits));
    for (let i = 0; i < count; i++) {
      const [l, o, m] = tables.map(({ cells }, kind) => cells[states[kind]]);
      const offBase = 2 ** o.symbol + stream.take(o.symbol);
      const length = MATCH_BASES[m.symbol] + stream.take(MATCH_BITS[m.symbol]);
      const run = LITERAL_BASES[l.symbol] + stream.take(LITERAL_BITS[l.symbol]);
      if (i < count - 1) {
        states[0] = l.base + stream.take(l.bits);
        states[2] = m.base + stream.take(m.bits);
        states[1] = o.base + stream.take(o.bits);
      }
      must(literal + run <= literals.length, "a sequence takes literals that are not there");
      for (let j = 0; j < run; j++) out.push(literals[literal++]);
      const distance = distanceOf(offBase, run, memory.repeats);
      must(distance <= out.length, `distance ${distance} at ${out.length}`);
      for (let j = 0; j < length; j++) out.push(out[out.length - distance]);
    }
    must(stream.left === 0, `sequences leave ${stream.left} bits`);
  } else must(at === bytes.length, "bytes behind the sequences section");
  for (; literal < literals.length; literal++) out.push(literals[literal]);
}

interface Head {
  /** Where the first block begins. */
  end: number;
  window: number;
  size: number | undefined;
  hasChecksum: boolean;
}

/** The head of the frame at `at` (§3.1.1.1), of which some window is refused and any dictionary. */
function readHead(bytes: Uint8Array, at: number): Head {
  const little = (from: number, count: number): bigint => {
    must(from + count <= bytes.length, "the head goes past the end");
    let value = 0n;
    for (let i = count - 1; i >= 0; i--) value = value * 256n + BigInt(bytes[from + i]);
    return value;
  };
  must(little(at, 4) === BigInt(MAGIC), "wrong magic");
  const descriptor = Number(little(at + 4, 1));
  const isSingle = (descriptor & 0x20) !== 0;
  must((descriptor & 8) === 0, "the reserved bit of the head");
  let next = at + 5;
  let window = 0n;
  if (!isSingle) {
    const byte = little(next++, 1);
    const base = 1n << (10n + (byte >> 3n));
    window = base + (base / 8n) * (byte & 7n);
  }
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3];
  must(little(next, dictionaryBytes) === 0n, "a dictionary");
  next += dictionaryBytes;
  const sizeBytes = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6];
  const size = little(next, sizeBytes) + (sizeBytes === 2 ? 256n : 0n);
  if (isSingle) window = size;
  must(window <= BigInt(WINDOW_MAX), `a window of ${window} bytes`);
  return {
    end: next + sizeBytes,
    window: Number(window),
    size: sizeBytes === 0 ? undefined : Number(size),
    hasChecksum: (descriptor & 4) !== 0,
  };
}

/** Adds the content of the frame at `at` to `content`; returns where the frame ends. */
function readFrame(bytes: Uint8Array, start: number, content: number[], seen: Seen): number {
  const { end, window, size, hasChecksum } = readHead(bytes, start);
  const blockMax = Math.min(BLOCK_MAX, window);
  const memory: Memory = { tables: [undefined, undefined, undefined], repeats: [1, 4, 8] };
  const out: number[] = [];
  let at = end;
  for (let last = false; !last; ) {
    must(at + 3 <= bytes.length, "a block head goes past the end");
    const head = bytes[at] + bytes[at + 1] * 256 + bytes[at + 2] * 65536;
    at += 3;
    last = (head & 1) === 1;
    const count = head >> 3;
    must(count <= blockMax, "a block is too large");
    const kind = (["raw", "run", "compressed"] as const)[(head >> 1) & 3];
    must(kind !== undefined, "a reserved kind of block");
    seen.blocks.push(kind);
    const before = out.length;
    const body = bytes.subarray(at, at + (kind === "run" ? 1 : count));
    must(body.length === (kind === "run" ? 1 : count), "a block goes past the frame");
    if (kind === "compressed") readBlock(body, memory, out, seen);
    else for (let i = 0; i < count; i++) out.push(body[kind === "run" ? 0 : i]);
    must(out.length - before <= blockMax, "a block of too much content");
    at += body.length;
  }
  must(size === undefined || out.length === size, `${out.length} bytes of ${size}`);
  if (hasChecksum) {
    const sum = Buffer.alloc(8);
    sum.writeBigUInt64LE(xxh64(Uint8Array.from(out)));
    must(sum.subarray(0, 4).equals(bytes.subarray(at, at + 4)), "another checksum");
    at += 4;
  }
  for (const byte of out) content.push(byte);
  return at;
}

const emptySeen = (): Seen => ({ blocks: [], literals: [], modes: [], streams: [] });

/** The content of one frame that fills `frame`. */
export function zstdDecodeOracle(frame: Uint8Array): { content: Uint8Array; seen: Seen } {
  const seen = emptySeen();
  const content: number[] = [];
  must(readFrame(frame, 0, content, seen) === frame.length, "bytes behind the frame");
  return { content: Uint8Array.from(content), seen };
}

/** The content of all frames in `bytes`, one after another; skippable ones hold none. */
export function zstdFramesOracle(bytes: Uint8Array): Uint8Array {
  const content: number[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; ) {
    must(at + 4 <= bytes.length, "a frame without a magic");
    if (view.getUint32(at, true) >>> 4 !== SKIPPABLE_MAGIC >>> 4) {
      at = readFrame(bytes, at, content, emptySeen());
      continue;
    }
    must(at + 8 <= bytes.length, "a skippable frame goes past the end");
    at += 8 + view.getUint32(at + 4, true);
    must(at <= bytes.length, "a skippable frame goes past the end");
  }
  return Uint8Array.from(content);
}
