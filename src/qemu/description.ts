// Finds the end of a stream whose devices have no length: behind the footer of the last one stand
// 00 06, a length and JSON. Devices may hold the same bytes by chance or by a guest's will, so an
// end is one only if nothing follows; it says where the end would be, the caller what follows.
import { Part } from "./stream.ts";

const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
/** Ends that are watched at a time. */
const MAX_ENDS = 8;

export class DescriptionScanner {
  private position = 0;
  private last = 0;
  // The last 12 bytes: 7e id×4 00 06 length×4 {
  private first4 = 0;
  private middle4 = 0;
  private last4 = 0;
  private ends: number[] = [];

  /** Takes the bytes from `from` to `to`. */
  take(bytes: Uint8Array, from: number, to: number): void {
    let { first4, middle4, last4 } = this;
    const base = this.position - from;
    for (let at = from; at < to; at++) {
      first4 = (first4 << 8) | (middle4 >>> 24);
      middle4 = (middle4 << 8) | (last4 >>> 24);
      last4 = (last4 << 8) | bytes[at];
      if ((last4 & 0xff) === OPEN_BRACE && first4 >>> 24 === Part.FOOTER) {
        if (((middle4 >>> 8) & 0xffff) === Part.DESCRIPTION) {
          this.watch(base + at + (((middle4 << 24) | (last4 >>> 8)) >>> 0));
        }
      }
    }
    if (to > from) this.last = bytes[to - 1];
    this.first4 = first4;
    this.middle4 = middle4;
    this.last4 = last4;
    this.position = base + to;
    this.ends = this.ends.filter((end) => end >= this.position);
  }

  /** Whether a description ends with the last byte taken. */
  get isAtEnd(): boolean {
    return this.last === CLOSE_BRACE && this.ends.includes(this.position);
  }

  /** Whether a footer and the mark of the end were the last bytes, as without a description. */
  get isAtMark(): boolean {
    return (this.last4 & 0xff) === Part.EOF && ((this.middle4 >>> 8) & 0xff) === Part.FOOTER;
  }

  private watch(end: number): void {
    if (this.ends.length === MAX_ENDS) this.ends.shift();
    this.ends.push(end);
  }
}
