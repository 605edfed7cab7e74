// Reads how the file of a woven image is put together (docs/format.md, "Woven images"): the
// trailer, and the operations of a layer one by one. Whatever the bytes say, an operation that
// comes out of here names literals and bytes of the source that are there.
import { ByteReader } from "../core/bytes.ts";
import { PagefoldError } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import {
  MAX_RECOMPRESSED_PAGES,
  MAX_WEAVE_LAYERS,
  WEAVE_LAYER_BYTES,
  WEAVE_MAGIC,
  WEAVE_OP_BITS,
  WEAVE_TRAILER_BYTES,
  WeaveOp,
} from "./weave.ts";
import { decodeRows, ROW_BYTES } from "./weaverows.ts";

/** Bytes from the end of the content that hold the trailer, if there are as many. */
export const MAX_WEAVE_TRAILER_BYTES = WEAVE_TRAILER_BYTES + MAX_WEAVE_LAYERS * WEAVE_LAYER_BYTES;
/** No operation is longer: a window of so many bytes holds the next one. */
export const MAX_WEAVE_OP_BYTES = 8 * (MAX_RECOMPRESSED_PAGES + 3);
const MAX_PAGE_BYTES = 1 << 16;
const MAX_SNAPPY_RELEASE = 6;
const MAX_FILE_BYTES = 2 ** 52;

/** Where a layer lies in the content. */
export interface WeavePlace {
  readonly opsOffset: number;
  readonly opBytes: number;
  readonly literalsOffset: number;
  readonly literalBytes: number;
  /** Bytes that its operations are over. */
  readonly sourceBytes: number;
  /** Bytes that it makes. */
  readonly madeBytes: number;
}

/** Layers of a woven image, the first one over its pages; from the last bytes of its content. */
export function decodeWeaveTrailer(
  tail: Uint8Array,
  contentBytes: number,
  what: string,
): WeavePlace[] {
  const fail = (reason: string): never => {
    throw new PagefoldError("DAMAGED", `${what}: how it is put together is not told: ${reason}`);
  };
  if (tail.length < WEAVE_TRAILER_BYTES) fail(`${contentBytes} bytes of content`);
  const reader = new ByteReader(tail.subarray(-WEAVE_TRAILER_BYTES), what);
  const pageBytes = Number(reader.u64());
  const layerCount = reader.u32();
  const magic = reader.u32();
  if (magic !== WEAVE_MAGIC) fail(`it ends in 0x${magic.toString(16)}`);
  const tableBytes = WEAVE_TRAILER_BYTES + layerCount * WEAVE_LAYER_BYTES;
  if (layerCount < 1 || layerCount > MAX_WEAVE_LAYERS || tail.length < tableBytes) {
    fail(`${layerCount} layers`);
  }
  const table = new ByteReader(tail.subarray(-tableBytes), what);
  const places: WeavePlace[] = [];
  let at = pageBytes;
  let sourceBytes = pageBytes;
  for (let i = 0; i < layerCount; i++) {
    const [opBytes, literalBytes, madeBytes] = [table.u64(), table.u64(), table.u64()].map(Number);
    if (madeBytes > MAX_FILE_BYTES) fail(`layer ${i} makes ${madeBytes} bytes`);
    const literalsOffset = at + opBytes;
    places.push({
      opsOffset: at,
      opBytes,
      literalsOffset,
      literalBytes,
      sourceBytes,
      madeBytes,
    });
    at = literalsOffset + literalBytes;
    sourceBytes = madeBytes;
  }
  if (at + tableBytes !== contentBytes) {
    fail(`its parts have ${at + tableBytes} bytes, its content ${contentBytes}`);
  }
  return places;
}

/** How far the operations of a layer were read: before each of them. */
export interface WeaveState {
  /** Of the operations, of what they make, of the source and of the literals. */
  op: number;
  made: number;
  source: number;
  literal: number;
  /** The next count. */
  count: number;
}

/** One operation, and the state before it. `source` is where it reads. */
export interface WeaveStep extends WeaveState {
  readonly kind: number;
  /** Bytes, or pages. */
  readonly length: number;
  /** Bytes that it makes. */
  readonly madeBytes: number;
  /** Of a page that is compressed again, and what becomes of each. */
  readonly pageBytes: number;
  /** Of snappy; else 0. */
  readonly release: number;
  readonly lengths: readonly number[];
  /** The bytes of rows. */
  readonly rows: Uint8Array;
}

const NO_ROWS = new Uint8Array(0);
const NOT_PACKED = { pageBytes: 0, release: 0, lengths: [] };

export function beginWeave(): WeaveState {
  return { op: 0, made: 0, source: 0, literal: 0, count: 0 };
}

/** The operation at `state`, which is in `window`, bytes of the operations from `state.op` on. */
export function readWeaveOp(
  window: Uint8Array,
  state: WeaveState,
  place: WeavePlace,
  what: string,
): { step: WeaveStep; next: WeaveState } {
  const reader = new ByteReader(window, `${what}: operation at ${state.op}`);
  const head = reader.varint();
  const kind = head % 2 ** WEAVE_OP_BITS;
  const length = Math.floor(head / 2 ** WEAVE_OP_BITS);
  if (length === 0) reader.fail("it is empty");
  let { source, count } = state;
  if (kind === WeaveOp.COPY) source += reader.zigzag();
  if (kind === WeaveOp.COUNTED || kind === WeaveOp.COUNTED_ZEROS) count += reader.zigzag();
  const packed = readPacked(reader, kind, length);
  const { pageBytes, lengths } = packed;
  const rows = kind === WeaveOp.ROWS ? decodeRows(reader, length) : NO_ROWS;
  const [madeBytes, sourceBytes] = sizesOf(kind, length, pageBytes, lengths) ?? [];
  if (madeBytes === undefined || sourceBytes === undefined) {
    return reader.fail(`there is no operation ${kind}`);
  }
  if (source < 0 || source + sourceBytes > place.sourceBytes) {
    reader.fail(`bytes ${source} to ${source + sourceBytes} of ${place.sourceBytes}`);
  }
  if (count < 0 || !Number.isSafeInteger(count + length * PAGE_BYTES)) reader.fail("its count");
  const made = state.made + madeBytes;
  if (made > place.madeBytes) reader.fail(`${made} bytes are made of ${place.madeBytes}`);
  const isLiteral = kind === WeaveOp.LITERAL;
  const literal = state.literal + (isLiteral ? length : 0);
  if (literal > place.literalBytes) reader.fail(`${literal} of ${place.literalBytes} literals`);
  const isCounted = kind === WeaveOp.COUNTED || kind === WeaveOp.COUNTED_ZEROS;
  const step = { ...state, source, count, kind, length, madeBytes, ...packed, rows };
  const next = {
    op: state.op + reader.position,
    made,
    source: source + sourceBytes,
    literal,
    count: isCounted ? count + length * PAGE_BYTES : count,
  };
  return { step, next };
}

/** What pages become that are compressed again, `length` of them. */
function readPacked(reader: ByteReader, kind: number, length: number) {
  if (kind !== WeaveOp.ZLIB && kind !== WeaveOp.SNAPPY) return NOT_PACKED;
  const both = reader.varint(MAX_PAGE_BYTES + MAX_SNAPPY_RELEASE);
  const release = kind === WeaveOp.SNAPPY ? both % PAGE_BYTES : 0;
  const pageBytes = both - release;
  if (kind === WeaveOp.SNAPPY && (release < 1 || release > MAX_SNAPPY_RELEASE)) {
    reader.fail(`snappy of release ${release}`);
  }
  if (pageBytes === 0 || pageBytes % PAGE_BYTES !== 0) reader.fail(`pages of ${pageBytes} bytes`);
  if (length > MAX_RECOMPRESSED_PAGES) reader.fail(`${length} pages at once`);
  const lengths: number[] = [];
  for (let i = 0; i < length; i++) lengths.push(reader.varint(2 * pageBytes));
  return { pageBytes, release, lengths };
}

/** Bytes that an operation makes, and those of the source that it takes. */
function sizesOf(
  kind: number,
  length: number,
  pageBytes: number,
  lengths: readonly number[],
): [madeBytes: number, sourceBytes: number] | undefined {
  switch (kind) {
    case WeaveOp.LITERAL:
      return [length, 0];
    case WeaveOp.COPY:
      return [length, length];
    case WeaveOp.COUNTED:
      return [length * (8 + PAGE_BYTES), length * PAGE_BYTES];
    case WeaveOp.COUNTED_ZEROS:
      return [length * 9, 0];
    case WeaveOp.ZLIB:
    case WeaveOp.SNAPPY:
      return [lengths.reduce((sum, bytes) => sum + bytes, 0), length * pageBytes];
    case WeaveOp.ROWS:
      return [length * ROW_BYTES, 0];
    default:
      return undefined;
  }
}
