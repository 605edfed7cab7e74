// The memory of a resumed guest beside that of the epoch it was resumed from. The guest is paused.
import { readFile } from "node:fs/promises";
import type { Guest } from "../../scripts/vm/guest.ts";
import { ReplicaStore } from "../../src/index.ts";

/** The block whose content lies in the file of the guest. */
const RAM = "ram";

/** Pages of the guest that are not what the epoch has, whose digest is checked first. */
export async function pagesUnlike(
  directory: string,
  epoch: number,
  guest: Guest,
): Promise<number[]> {
  const found = await readFile(guest.ramPath);
  const wanted = await ramOf(directory, epoch);
  if (found.length !== wanted.length)
    throw new Error(`${found.length}, not ${wanted.length} bytes`);
  const differing: number[] = [];
  for (let at = 0; at < found.length; at += 4096) {
    if (found.compare(wanted, at, at + 4096, at, at + 4096) !== 0) differing.push(at / 4096);
  }
  return differing;
}

async function ramOf(directory: string, epoch: number): Promise<Buffer> {
  await using store = await ReplicaStore.open(directory);
  await using reader = await store.read(epoch);
  await reader.verify();
  let frame = 0;
  for (const { name, byteLength } of store.identity.ramBlocks) {
    if (name === RAM) {
      const content = Buffer.alloc(byteLength);
      await reader.read(frame, byteLength / 4096, content);
      return content;
    }
    frame += byteLength / 4096;
  }
  throw new Error(`the replica has no block ${RAM}`);
}
