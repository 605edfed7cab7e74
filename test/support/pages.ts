// Inputs that kernel tests share: the edges, and bytes painted so that swapped pieces show.
import { PAGE_BYTES } from "../../src/core/page.ts";
import type { SeededRandom } from "./random.ts";

/** A period that no size of page, block or lane divides. */
const PAINT_PERIOD = 251;

/** Bytes of period 251: equal pieces never stand at the distance of a block or a lane. */
export function painted(length: number, phase = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (at + phase) % PAINT_PERIOD);
}

/** Pages that every page kernel must get right, by name. */
export function edgePages(random: SeededRandom): { name: string; page: Uint8Array }[] {
  const firstByte = new Uint8Array(PAGE_BYTES);
  firstByte[0] = 1;
  const lastByte = new Uint8Array(PAGE_BYTES);
  lastByte[PAGE_BYTES - 1] = 0x80;
  return [
    { name: "all zero", page: new Uint8Array(PAGE_BYTES) },
    { name: "all 0xFF", page: new Uint8Array(PAGE_BYTES).fill(0xff) },
    { name: "first byte", page: firstByte },
    { name: "last byte", page: lastByte },
    { name: "painted", page: painted(PAGE_BYTES) },
    { name: "random", page: random.bytes(PAGE_BYTES) },
  ];
}
