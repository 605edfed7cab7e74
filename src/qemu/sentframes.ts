// Which frames of a guest were sent as pages, and which of these the guest has overwritten since by
// other means (zero, XBZRLE): their old content is no good reference any more.

/** Frames of one chunk of the bitmap: 4 KiB, taken when the first frame of it is sent. */
const CHUNK_BITS = 15;
const CHUNK_WORDS = 2 ** (CHUNK_BITS - 5);
const CHUNK_MASK = 2 ** CHUNK_BITS - 1;

export class SentFrames {
  private readonly chunks: (Uint32Array | undefined)[] = [];
  private forgotten = new Set<number>();

  /** The frame is sent as a page. */
  send(frame: number): void {
    let chunk = this.chunks[frame >>> CHUNK_BITS];
    if (chunk === undefined) {
      chunk = new Uint32Array(CHUNK_WORDS);
      this.chunks[frame >>> CHUNK_BITS] = chunk;
    }
    const bit = frame & CHUNK_MASK;
    chunk[bit >>> 5] |= 1 << (bit & 31);
    if (this.forgotten.size > 0) this.forgotten.delete(frame);
  }

  /** The frame gets other content than that of its last page. */
  forget(frame: number): void {
    const chunk = this.chunks[frame >>> CHUNK_BITS];
    if (chunk === undefined) return;
    const bit = frame & CHUNK_MASK;
    if ((chunk[bit >>> 5] & (1 << (bit & 31))) === 0) return;
    chunk[bit >>> 5] &= ~(1 << (bit & 31));
    this.forgotten.add(frame);
  }

  /** Frames whose last event since the last call was `forget`. */
  takeForgotten(): number[] {
    if (this.forgotten.size === 0) return [];
    const frames = [...this.forgotten];
    this.forgotten = new Set();
    return frames;
  }
}
