// The RAM of a guest at both ends of a migration, page by page. The files are those that the QEMUs
// share; both guests must be paused.
import { type FileHandle, open } from "node:fs/promises";

const PAGE_BYTES = 4096;
const PIECE_BYTES = 4 << 20;

/** The numbers of the pages in which two files of equal length differ. */
export async function differingPages(one: string, other: string): Promise<number[]> {
  const files = [await open(one), await open(other)];
  try {
    const sizes = await Promise.all(files.map(async (file) => (await file.stat()).size));
    if (sizes[0] !== sizes[1]) throw new Error(`${one}, ${other}: ${sizes.join(" and ")} bytes`);
    const pieces = files.map(() => Buffer.allocUnsafe(PIECE_BYTES));
    const found: number[] = [];
    for (let at = 0; at < sizes[0]; at += PIECE_BYTES) {
      const length = Math.min(PIECE_BYTES, sizes[0] - at);
      const [a, b] = await Promise.all(
        files.map((file, i) => readAll(file, pieces[i], at, length)),
      );
      if (!a.equals(b)) found.push(...differences(a, b).map((page) => at / PAGE_BYTES + page));
    }
    return found;
  } finally {
    await Promise.all(files.map((file) => file.close()));
  }
}

async function readAll(file: FileHandle, into: Buffer, at: number, length: number) {
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(into, done, length - done, at + done);
    if (bytesRead === 0) throw new Error(`the RAM file ended at ${at + done}`);
    done += bytesRead;
  }
  return into.subarray(0, length);
}

function differences(a: Buffer, b: Buffer): number[] {
  const found: number[] = [];
  for (let at = 0; at < a.length; at += PAGE_BYTES) {
    if (a.compare(b, at, at + PAGE_BYTES, at, at + PAGE_BYTES) !== 0) found.push(at / PAGE_BYTES);
  }
  return found;
}
