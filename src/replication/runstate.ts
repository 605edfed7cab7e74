// Whether a guest goes on when it was loaded stands in its stream, as the section "globalstate".
// One that was captured standing still stood so because of us.
//
//   04 be32 id, u8 11, "globalstate", be32 instance, be32 version,
//   be32 length of the word with its 0, 100 bytes: the word, zeros; 7e be32 id
import { Part } from "../qemu/stream.ts";

const NAME = Buffer.from("\x0bglobalstate");
const WORD_BYTES = 100;
const HEAD_BYTES = 5;
const RUNNING = Buffer.from("running\0");
const PAUSED = Buffer.from("paused\0");

/** The devices of a guest, its state of a paused guest turned into that of one that runs. */
export function runningTail(tail: Uint8Array): Uint8Array {
  const out = Buffer.from(tail);
  for (let at = out.indexOf(NAME); at >= 0; at = out.indexOf(NAME, at + 1)) {
    const sectionAt = at - HEAD_BYTES;
    const lengthAt = at + NAME.length + 8;
    const wordAt = lengthAt + 4;
    const footerAt = wordAt + WORD_BYTES;
    // A guest may have such bytes in one of its devices; then it is not this that follows them.
    if (sectionAt < 0 || footerAt + HEAD_BYTES > out.length) continue;
    if (out[sectionAt] !== Part.FULL || out[footerAt] !== Part.FOOTER) continue;
    if (out.readUInt32BE(sectionAt + 1) !== out.readUInt32BE(footerAt + 1)) continue;
    if (!out.subarray(wordAt, footerAt).subarray(0, PAUSED.length).equals(PAUSED)) continue;
    out.fill(0, wordAt, footerAt);
    RUNNING.copy(out, wordAt);
    out.writeUInt32BE(RUNNING.length, lengthAt);
    break;
  }
  return new Uint8Array(out.buffer, out.byteOffset, out.length);
}
