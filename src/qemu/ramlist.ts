// The first record of the section "ram", which lists the blocks of a guest's memory.
import type { RamBlocks } from "./blocks.ts";
import type { StreamPlace } from "./place.ts";
import { RAM_FLAGS, Ram } from "./stream.ts";
import { need, read32, read64, type Steps } from "./wants.ts";

/** A block has a page size and an address at most behind its length. */
const MAX_BLOCK_FIELDS = 2;

/** Follows the record and what ends the part. */
export function* readBlockList(place: StreamPlace, blocks: RamBlocks): Steps<void> {
  const head = yield need(8);
  if ((read32(head, 4) & RAM_FLAGS) !== Ram.MEM_SIZE) place.fail("RAM without its size");
  let left = read64(head) - Ram.MEM_SIZE;
  let length = (yield need(1))[0];
  while (left > 0 && length > 0) {
    const name = (yield need(length)).slice();
    const byteLength = read64(yield need(8));
    if (byteLength > left) place.fail(`a block of ${byteLength} bytes, ${left} are left`);
    blocks.add(name, byteLength);
    left -= byteLength;
    // Post-copy adds the page size and x-ignore-shared the address. Nothing says so, but a name
    // has a length that is not 0, and what follows the last block has flags.
    length = (yield need(1))[0];
    for (let fields = 0; length === 0; fields++) {
      const flags = read32(yield { kind: "more", count: 7 }, 4) & RAM_FLAGS;
      if (flags !== 0) return checkEnd(place, flags, left);
      if (fields === MAX_BLOCK_FIELDS) place.fail("a block of RAM with unknown fields");
      length = (yield need(1))[0];
    }
  }
  place.fail(`RAM of ${left} bytes more than its blocks`);
}

function checkEnd(place: StreamPlace, flags: number, left: number): void {
  if (flags & Ram.MULTIFD_FLUSH) place.refuseCapability("multifd");
  if (flags & Ram.HOOK) place.refuse("it migrates by RDMA: migrate to a unix socket");
  if (flags !== Ram.EOS) place.fail(`flags 0x${flags.toString(16)} behind the blocks`);
  if (left > 0) place.fail(`${left} bytes of RAM are in no block`);
}
