// Windows the slow way: the hash of every one, and where hashes stand in a list of pages.
const WINDOWS = 508;

function hashWord(view: DataView, at: number): number {
  const odd = 0x9e3779b1;
  const low = Math.imul(view.getUint32(at, true), odd);
  const high = Math.imul(view.getUint32(at + 4, true), odd);
  return (low + rotate(high)) | 0;
}

const rotate = (word: number): number => (word << 13) | (word >>> 19);

/** The hash of a window; `undefined` where it is not sampled or of one word. */
function windowAt(page: Uint8Array, at: number): number | undefined {
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  const [a, b, c] = [0, 8, 16].map((offset) => view.getBigUint64(at + offset, true));
  if (a === b && b === c) return undefined;
  const later = (hashWord(view, at + 8) + rotate(hashWord(view, at + 16))) | 0;
  const hash = (hashWord(view, at) + rotate(later)) >>> 0;
  return hash % 4 === 0 && hash > 0 ? hash : undefined;
}

/** Hashes of the windows, at any offset, that begin within four words of which one is new. */
export function newWindowsOf(older: Uint8Array, newer: Uint8Array): number[] {
  const found: number[] = [];
  for (let at = 0; at < WINDOWS * 8; at++) {
    const [from, to] = [at - (at % 8), at - (at % 8) + 32];
    if (Buffer.compare(older.subarray(from, to), newer.subarray(from, to)) === 0) continue;
    found.push(...[windowAt(newer, at)].filter((hash) => hash !== undefined));
  }
  return found;
}

/** By hash: the first page that has it. */
export function firstPages(
  wanted: ReadonlySet<number>,
  pages: readonly Uint8Array[],
): Map<number, number> {
  const found = new Map<number, number>();
  for (const [i, page] of pages.entries()) {
    for (let word = 0; word < WINDOWS; word++) {
      const hash = windowAt(page, word * 8);
      if (hash !== undefined && wanted.has(hash) && !found.has(hash)) found.set(hash, i);
    }
  }
  return found;
}
