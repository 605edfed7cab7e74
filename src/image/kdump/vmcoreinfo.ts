// What a Linux kernel says of itself in its dumps (VMCOREINFO, lines of KEY=VALUE): its release. It
// is looked for where dumps have their notes, in the first bytes; nothing depends on it.
import type { ReadAt } from "../layout.ts";

const LOOKED_BYTES = 1 << 16;
const KEY = "OSRELEASE=";
/** As `uname -r` has it: no blanks, nothing that a terminal obeys, and at most 64 bytes. */
const RELEASE = /^[\w.+~-]{1,64}(?=\n)/;

/** Undefined when the first bytes do not tell. */
export async function readKernelRelease(read: ReadAt): Promise<string | undefined> {
  const bytes = new Uint8Array(LOOKED_BYTES);
  const there = await read(0, bytes);
  const text = Buffer.from(bytes.buffer, 0, there).toString("latin1");
  const at = text.indexOf(KEY);
  return at < 0 ? undefined : RELEASE.exec(text.slice(at + KEY.length, at + 128))?.[0];
}
