// Pages as zlib streams (RFC 1950) whose bytes are those of zlib's compress2() at level 1: what a
// kdump file holds, so that keeping its pages is keeping the file.
//
//   78 01 | blocks of DEFLATE | Adler-32 of the page, highest byte first
//
// The method is that of deflate.c and trees.c of zlib 1.2.11 … 1.3.1, (C) 1995-2024 Jean-loup
// Gailly and Mark Adler, written anew in this folder: this is not the original software, and its
// errors are not theirs. There are no other levels, strategies, windows or dictionaries.
import { adler32 } from "./adler32";
import { beginBlock, initFixed } from "./block";
import { BIT_COUNT, BITS, HEADS, HEADS_BYTES, OUT, WINDOW_MAX } from "./layout";
import { writePage } from "./search";

/**
 * Compresses pages that lie one after another into streams that do; the bytes (u32) of each go to
 * `lengths`. A page has 1 … 65536 bytes. `dst` has 9 bytes for each 8 of a page and 64 more, and
 * 8 bytes behind the pages may be read. Returns the bytes of all.
 */
export function zlibPages(
  pages: usize,
  pageBytes: u32,
  pageCount: u32,
  dst: usize,
  lengths: usize,
  scratch: usize,
): u32 {
  initFixed(scratch);
  beginBlock(scratch);
  let window = pages;
  let floor = WINDOW_MAX;
  let out = dst;
  for (let page: u32 = 0; page < pageCount; page++) {
    const start = pages + <usize>page * <usize>pageBytes;
    if (floor + pageBytes > WINDOW_MAX) {
      window = start;
      floor = 0;
      memory.fill(scratch + HEADS, 0, HEADS_BYTES);
    }
    store<u16>(out, 0x0178);
    store<u32>(scratch, <u32>out + 2, OUT);
    store<u64>(scratch, 0, BITS);
    store<u32>(scratch, 0, BIT_COUNT);
    writePage(window, floor, pageBytes, scratch);
    floor += pageBytes;
    const stop = <usize>load<u32>(scratch, OUT);
    store<u32>(stop, bswap(adler32(start, pageBytes)));
    store<u32>(lengths + (page << 2), <u32>(stop + 4 - out));
    out = stop + 4;
  }
  return <u32>(out - dst);
}
