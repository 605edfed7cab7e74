// Where a frame lay in the captured address space.
import type { DrawnMap } from "../payload.ts";
import { PAGE_BYTES } from "./words.ts";

/** Undefined where the format does not say. Ranges have rising frames. */
export function addressOf(addresses: DrawnMap["addresses"], frame: number): bigint | undefined {
  let low = 0;
  let high = addresses.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const [first, frameCount, address] = addresses[middle];
    if (frame < first) high = middle - 1;
    else if (frame >= first + frameCount) low = middle + 1;
    else return BigInt(`0x${address}`) + BigInt((frame - first) * PAGE_BYTES);
  }
  return undefined;
}
