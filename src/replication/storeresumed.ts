// resumed.json: that a guest was brought back from this directory. From then on its old primary, if
// it should still be alive somewhere, has nothing to say here any more.
import { PagefoldError } from "../core/errors.ts";
import { TEMPORARY } from "./storeepoch.ts";
import type { StoreFiles } from "./storefiles.ts";

const RESUMED_NAME = "resumed.json";
const SCHEMA = "pagefold/resumed/1";

/** Notes durably that the guest of an epoch is being brought back. */
export async function markResumed(files: StoreFiles, epoch: number): Promise<void> {
  const resumedAt = new Date().toISOString();
  const text = `${JSON.stringify({ schema: SCHEMA, epoch, resumedAt }, undefined, 2)}\n`;
  const file = await files.open(RESUMED_NAME + TEMPORARY, "create");
  try {
    await file.write(new TextEncoder().encode(text), 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await files.rename(RESUMED_NAME + TEMPORARY, RESUMED_NAME);
  await files.sync();
}

/** Takes the note back: no guest was brought back after all. */
export async function clearResumed(files: StoreFiles): Promise<void> {
  if (!(await isResumed(files))) return;
  await files.remove(RESUMED_NAME);
  await files.sync();
}

/** What the note says does not matter, only that it is there. */
export async function isResumed(files: StoreFiles): Promise<boolean> {
  return (await files.list()).includes(RESUMED_NAME);
}

/** Refuses new epochs for a guest that lives elsewhere now. */
export async function refuseResumed(files: StoreFiles): Promise<void> {
  if (!(await isResumed(files))) return;
  const reason = "a guest was resumed from it, and an old primary must not go on with it";
  const way = `remove ${files.path}/${RESUMED_NAME} to replicate into it again`;
  throw new PagefoldError("MISMATCH", `${files.path}: ${reason}: ${way}`);
}
