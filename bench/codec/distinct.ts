// The pages that a codec gets to see in an archive: those of a file that are not zero, each once.
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { createXXHash128 } from "hash-wasm";
import { PAGE_BYTES } from "../../src/core/page.ts";

const READ_BYTES = 1 << 20;

/** In the order of the file, at most `maxBytes`. */
export async function readDistinctPages(path: string, maxBytes: number): Promise<Buffer> {
  const hasher = await createXXHash128();
  const zero = Buffer.alloc(PAGE_BYTES);
  const seen = new Set<string>([hasher.init().update(zero).digest()]);
  const out = Buffer.alloc(Math.min(maxBytes, statSync(path).size));
  const extent = Buffer.alloc(READ_BYTES);
  const file = openSync(path, "r");
  try {
    let filled = 0;
    for (let offset = 0; filled < out.length; ) {
      const length = readSync(file, extent, 0, READ_BYTES, offset);
      if (length < PAGE_BYTES) return out.subarray(0, filled);
      for (let at = 0; at + PAGE_BYTES <= length; at += PAGE_BYTES) {
        if (filled + PAGE_BYTES > out.length) return out.subarray(0, filled);
        const page = extent.subarray(at, at + PAGE_BYTES);
        const digest = hasher.init().update(page).digest();
        if (seen.has(digest)) continue;
        seen.add(digest);
        filled += page.copy(out, filled);
      }
      offset += length - (length % PAGE_BYTES);
    }
    return out;
  } finally {
    closeSync(file);
  }
}
