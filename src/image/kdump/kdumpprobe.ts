// Looks at some pages of a dump: what has compressed them, and whether we can do the same.
import { KdumpFlag } from "./kdumphead.ts";
import { decodeStretch, tryAgain } from "./kdumpstretch.ts";
import { type KdumpFile, KdumpWalk } from "./kdumpwalk.ts";

/** What compressed the pages of a dump. */
export type KdumpCompression = "zlib" | "lzo" | "snappy" | "zstd";

const NAMES: readonly (readonly [flag: number, name: KdumpCompression])[] = [
  [KdumpFlag.ZLIB, "zlib"],
  [KdumpFlag.LZO, "lzo"],
  [KdumpFlag.SNAPPY, "snappy"],
  [KdumpFlag.ZSTD, "zstd"],
];
const PROBED_PAGES = 64;
/** Rows that are looked at for them. */
const PROBED_ROWS = 1 << 16;

export interface Probed {
  /** Undefined: no page is compressed, as far as was looked. */
  readonly compression: KdumpCompression | undefined;
  /** Compressing its pages gives the same bytes; a page here and there may be another's. */
  readonly isSame: boolean;
}

export async function probeKdump(file: KdumpFile): Promise<Probed> {
  const { codecs, head } = file;
  let compressed = 0;
  let same = 0;
  let rows = 0;
  let compression: KdumpCompression | undefined;
  for await (const { placed, start, end, flags } of new KdumpWalk(file).stretches()) {
    rows += placed.length;
    if (rows > PROBED_ROWS || compressed >= PROBED_PAGES) break;
    const name = NAMES.find(([flag]) => flag === flags)?.[1];
    if (name === undefined) continue;
    compression ??= name;
    // It cannot be decoded, so nothing else matters.
    if (name === "lzo") return { compression: "lzo", isSame: false };
    const data = new Uint8Array(end - start);
    await file.read(start, data);
    const decoded = decodeStretch(codecs, placed, data, head.blockBytes);
    const own = placed.filter(({ page }) => page === "next").map(({ row }) => row);
    tryAgain(codecs, own, data, decoded, flags);
    for (const fate of decoded.fates) {
      if (fate === "packed") same++;
      if (fate === "packed" || fate === "odd") compressed++;
    }
  }
  // Nothing but zeros so far; the head says what else to expect.
  if (compressed === 0 && (head.status & KdumpFlag.ZSTD) !== 0) {
    return { compression: "zstd", isSame: false };
  }
  return { compression, isSame: compressed === 0 || same * 16 >= compressed * 15 };
}
