// How a change of an archive becomes valid: data first, made durable, then the one small write that
// makes it count, made durable too.
import { fdatasync, write } from "node:fs";
import { promisify } from "node:util";
import { PagefoldError, reasonOf } from "../core/errors.ts";
import type { Checksum } from "../wire/checksum.ts";
import type { ArchiveSeal } from "../wire/seal.ts";
import { type ArchiveState, encodeSuperblock, SUPERBLOCK_BYTES } from "../wire/superblock.ts";

const sync = promisify(fdatasync);
const writeAt = promisify(write);

/** Makes all that was written to `fd`, the archive `path`, count as the generation of `state`. */
export async function commitState(
  fd: number,
  path: string,
  state: ArchiveState,
  checksum: Checksum,
  seal: ArchiveSeal | undefined,
): Promise<void> {
  const block = encodeSuperblock(state, checksum, seal?.mark);
  try {
    await sync(fd);
    await writeAt(fd, block, 0, block.length, (state.generation % 2) * SUPERBLOCK_BYTES);
    await sync(fd);
  } catch (error) {
    throw new PagefoldError("OUTPUT", `${path}: ${reasonOf(error)}`, { cause: error });
  }
}
