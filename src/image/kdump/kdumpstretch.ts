// Makes parts (woven.ts) of rows of a dump whose data follows one another: pages that compressing
// gives back, and the bytes of those that it does not.
import { PAGE_BYTES } from "../../core/page.ts";
import type { Form, Part } from "../woven.ts";
import type { KdumpCodecs } from "./kdumpcodecs.ts";
import { KdumpFlag } from "./kdumphead.ts";
import type { KdumpRow } from "./kdumprows.ts";

/** A page by its row: with data of its own, or with the page that other data is. */
export interface Placed {
  readonly row: KdumpRow;
  /** "next": its data is that of the stretch; else the page, if it is known. */
  readonly page: "next" | "zero" | Uint8Array | undefined;
}

/** How the page of a row goes out. */
type Fate = "plain" | "packed" | "odd" | "unknown";

/** The pages of a stretch, decoded. */
export interface Decoded {
  /** Those with data of their own, one behind another. */
  readonly pages: Uint8Array;
  /** For each of these. */
  readonly fates: Fate[];
  /** Of libsnappy, which has made the packed ones. */
  release: number;
}

export function decodeStretch(
  codecs: KdumpCodecs,
  placed: readonly Placed[],
  data: Uint8Array,
  blockBytes: number,
): Decoded {
  const own = placed.filter(({ page }) => page === "next");
  const pages = new Uint8Array(own.length * blockBytes);
  const fates: Fate[] = [];
  let at = 0;
  own.forEach(({ row }, i) => {
    const page = pages.subarray(i * blockBytes, (i + 1) * blockBytes);
    const isKnown = codecs.decode(row.flags, data.subarray(at, at + row.size), page);
    at += row.size;
    fates.push(!isKnown ? "unknown" : row.flags === KdumpFlag.PLAIN ? "plain" : "odd");
  });
  return { pages, fates, release: 0 };
}

/** Finds the pages of `decoded` that compressing gives back. The packed ones are all of `flags`. */
export function tryAgain(
  codecs: KdumpCodecs,
  own: readonly KdumpRow[],
  data: Uint8Array,
  decoded: Decoded,
  flags: number,
): void {
  const { pages, fates } = decoded;
  if (!fates.includes("odd")) return;
  const found = codecs.ways(flags).map((way) => {
    const { bytes, lengths } = codecs.compress(flags, pages, pages.length / own.length, way);
    return { way, same: samePages(own, data, fates, bytes, lengths) };
  });
  const [best, next] = found.sort((a, b) => b.same.length - a.same.length);
  if (!best) return;
  for (const i of best.same) fates[i] = "packed";
  decoded.release = best.way;
  if (next && best.same.length > next.same.length) codecs.learn(best.way);
}

/** Which of the odd pages have become the bytes that the dump has. */
function samePages(
  own: readonly KdumpRow[],
  data: Uint8Array,
  fates: readonly Fate[],
  bytes: Uint8Array,
  lengths: ArrayLike<number>,
): number[] {
  const same: number[] = [];
  let at = 0;
  let from = 0;
  own.forEach(({ size }, i) => {
    const length = lengths[i];
    if (fates[i] === "odd" && length === size) {
      const made = bytes.subarray(from, from + length);
      if (Buffer.compare(made, data.subarray(at, at + size)) === 0) same.push(i);
    }
    from += length;
    at += size;
  });
  return same;
}

/** The parts of a stretch, in order; neighbours in memory and of one kind are one part. */
export function* stretchParts(
  placed: readonly Placed[],
  data: Uint8Array,
  { pages, fates, release }: Decoded,
  blockBytes: number,
): Generator<Part> {
  let own = 0;
  let dataAt = 0;
  for (let i = 0; i < placed.length; ) {
    const { row, page } = placed[i];
    const address = row.page * blockBytes;
    if (page === "next") {
      const fate = fates[own];
      const sizes: number[] = [];
      while (
        i < placed.length &&
        placed[i].page === "next" &&
        fates[own + sizes.length] === fate &&
        placed[i].row.page === row.page + sizes.length
      ) {
        sizes.push(placed[i++].row.size);
      }
      const bytes = pages.subarray(own * blockBytes, (own + sizes.length) * blockBytes);
      const dataBytes = sizes.reduce((sum, size) => sum + size, 0);
      const form = formOf(fate, row.flags, release, blockBytes, sizes);
      yield* partsOf(fate, form, bytes, address, data.subarray(dataAt, dataAt + dataBytes));
      own += sizes.length;
      dataAt += dataBytes;
    } else if (page === "zero") {
      const first = i;
      while (placed[i]?.page === "zero" && placed[i].row.page === row.page + i - first) i++;
      const pageCount = ((i - first) * blockBytes) / PAGE_BYTES;
      yield { kind: "zeros", pageCount, form: { as: "nothing" }, address };
    } else {
      i++;
      if (page) yield { kind: "pages", pages: page, form: { as: "nothing" }, address };
    }
  }
}

function* partsOf(
  fate: Fate,
  form: Form,
  pages: Uint8Array,
  address: number,
  data: Uint8Array,
): Generator<Part> {
  if (fate === "odd" || fate === "unknown") yield { kind: "literal", bytes: data };
  if (fate !== "unknown") yield { kind: "pages", pages, form, address };
}

function formOf(
  fate: Fate,
  flags: number,
  release: number,
  pageBytes: number,
  sizes: number[],
): Form {
  if (fate === "plain") return { as: "plain" };
  if (fate !== "packed") return { as: "nothing" };
  const lengths = Uint32Array.from(sizes);
  if (flags === KdumpFlag.ZLIB) return { as: "zlib", pageBytes, lengths };
  return { as: "snappy", pageBytes, lengths, release };
}
