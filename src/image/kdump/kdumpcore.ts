// What a dump of kdump's compressed format knows beside its pages that a core of the same memory
// has, too: the machine, and the notes, which are those of the core that the dump was made of.

import type { MemoryView } from "../convert/memory.ts";
import type { ReadAt } from "../layout.ts";
import type { KdumpHead } from "./kdumphead.ts";

/** The fifth of the names in the head is that of the machine, as `uname -m` has it. */
const MACHINE_OFFSET = 12 + 4 * 65;
const MACHINE_BYTES = 65;
/** `e_machine` of those that are 64 bits wide and little-endian. */
const MACHINES: Record<string, number> = {
  x86_64: 62,
  aarch64: 183,
  ppc64le: 21,
  riscv64: 243,
  loongarch64: 258,
};
/** In the blobs of the head, behind the VMCOREINFO, which is one of the notes again. */
const NOTES = 1;
/** A processor has some hundred bytes to a few thousand. */
const MAX_NOTE_BYTES = 64 << 20;

export async function coreOfKdump(
  read: ReadAt,
  byteLength: number,
  { blobs }: KdumpHead,
): Promise<Pick<MemoryView, "machine" | "notes">> {
  const name = new Uint8Array(MACHINE_BYTES);
  await read(MACHINE_OFFSET, name);
  const [text] = Buffer.from(name).toString("latin1").split("\0");
  const { offset, byteLength: noteBytes } = blobs[NOTES] ?? { offset: 0, byteLength: 0 };
  const isThere = noteBytes <= MAX_NOTE_BYTES && offset + noteBytes <= byteLength;
  const notes = new Uint8Array(isThere ? noteBytes : 0);
  if (notes.length > 0) await read(offset, notes);
  return { machine: Object.hasOwn(MACHINES, text) ? MACHINES[text] : undefined, notes };
}
