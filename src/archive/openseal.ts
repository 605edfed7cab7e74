// With what an archive is sealed, from its superblocks, and whether the key that was given fits.
// Without superblocks there is no telling, and what a key was given for is never read without it:
// somebody could have put it there.
import { PagefoldError } from "../core/errors.ts";
import { keyObject, type SealKey } from "../core/seal.ts";
import { loadChecksum } from "../wire/checksum.ts";
import { ArchiveSeal } from "../wire/seal.ts";
import {
  decodeSuperblock,
  STREAM_HEAD_BYTES,
  SUPERBLOCK_BYTES,
  type Superblock,
} from "../wire/superblock.ts";
import { openFileAccess, readRange } from "./bytesource.ts";

/** Undefined for an archive that is not sealed. KEY when the key is missing, wrong or unwanted. */
export function openSeal(
  superblocks: readonly (Superblock | undefined)[],
  key: SealKey | undefined,
  name: string,
): ArchiveSeal | undefined {
  const fail = (reason: string): never => {
    throw new PagefoldError("KEY", `${name}: ${reason}`);
  };
  const known = superblocks.filter((superblock) => superblock !== undefined);
  if (known.length === 0) {
    if (key === undefined) return undefined;
    return fail("both superblocks are damaged, and with them what a key is tested with");
  }
  const marks = known.map(({ seal }) => seal);
  const [mark] = marks;
  if (marks.some((other) => !isSame(mark, other))) fail("its superblocks name different seals");
  if (!mark) return key === undefined ? undefined : fail("is not sealed: it takes no key");
  if (key === undefined) return fail("is sealed: its key is needed (--key-file)");
  return ArchiveSeal.open(mark, keyObject(key)) ?? fail("is sealed with another key");
}

/** Whether a file is an archive that takes a key to read. INPUT when it cannot be read. */
export async function isSealed(path: string): Promise<boolean> {
  const checksum = await loadChecksum();
  const access = await openFileAccess(path);
  try {
    const byteLength = Math.min(access.size, STREAM_HEAD_BYTES);
    const head = await readRange(access, 0, byteLength, path);
    return [0, SUPERBLOCK_BYTES].some((at) => {
      const block = head.subarray(at, at + SUPERBLOCK_BYTES);
      return decodeSuperblock(block, checksum)?.seal !== undefined;
    });
  } finally {
    await access.close();
  }
}

function isSame(a: Superblock["seal"], b: Superblock["seal"]): boolean {
  if (!a || !b) return a === b;
  const isSameSalt = Buffer.compare(a.salt, b.salt) === 0;
  return isSameSalt && Buffer.compare(a.keyCheck, b.keyCheck) === 0;
}
