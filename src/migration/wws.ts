// What the target of a pre-copy lacks, frame by frame, and the writable working set: frames that
// are written faster than they can be sent, which only stop-and-copy can move. Bits and ages only;
// who asks for dirty bits, reads pages and ends a round is precopy.ts.
//
//   age of a frame:  bit 7 = written in the last round, bit 6 = in the one before, … bit 0

/** Written in each of the last three rounds: sooner than a round can end. */
const HOT = 0b1110_0000;

export class WritableFrames {
  /** Frames that were put off in this round. */
  putOffPages = 0;
  /** The target has not the newest content. It grows by `note` and shrinks by `take` alone. */
  private readonly lacking: Bits;
  /** What this round is still to send: a part of `lacking` as it was when the round began. */
  private readonly turn: Bits;
  /** Written since the round began. */
  private readonly written: Bits;
  private readonly ages: Uint8Array;
  private readonly mayPutOff: boolean;
  /** Not in stop-and-copy: there is no later round. */
  private putsOff = false;

  /** `mayPutOff`: whether frames that are written again wait for a later round. */
  constructor(frameCount: number, mayPutOff: boolean) {
    this.mayPutOff = mayPutOff;
    this.lacking = new Bits(frameCount);
    this.turn = new Bits(frameCount);
    this.written = new Bits(frameCount);
    this.ages = new Uint8Array(frameCount);
    this.lacking.fill();
  }

  /** Frames of which the target lacks the newest content. */
  get lackingPages(): number {
    return this.lacking.count();
  }

  /** Frames that were written since the round began. */
  get writtenPages(): number {
    return this.written.count();
  }

  /** Frames that were written in each of the last three rounds. */
  get hotPages(): number {
    let count = 0;
    for (const age of this.ages) if (age >= HOT) count++;
    return count;
  }

  /** Whether another round would send nothing, because all that is lacking is hot. */
  get onlyHotLacking(): boolean {
    if (!this.mayPutOff) return false;
    for (let frame = 0; frame < this.ages.length; frame++) {
      if (this.lacking.has(frame) && this.ages[frame] < HOT) return false;
    }
    return true;
  }

  /**
   * Begins a round; returns its dirty bits. They change while it runs: a bit goes when its frame
   * was read, or was written again before that. With `isLast` nothing is put off.
   */
  begin(isLast = false): Uint8Array {
    this.putsOff = this.mayPutOff && !isLast;
    this.putOffPages = 0;
    this.written.clear();
    this.turn.copy(this.lacking);
    if (!this.putsOff) return this.turn.bytes;
    for (let frame = 0; frame < this.ages.length; frame++) {
      if (this.ages[frame] < HOT || !this.turn.has(frame)) continue;
      this.turn.drop(frame);
      this.putOffPages++;
    }
    return this.turn.bytes;
  }

  /**
   * Frames that were written since dirty bits were last taken. One whose turn has not come is put
   * off: it would be sent again anyway (Clark's to_skip). One that was read meanwhile is lacking
   * again, even if the write came before the read; that errs on the safe side.
   */
  note(dirty: Uint8Array): void {
    this.lacking.add(dirty);
    this.written.add(dirty);
    if (this.putsOff) this.putOffPages += this.turn.remove(dirty);
  }

  /**
   * To be called before these frames are read, never after: a write between the two is then either
   * in what is read or noted later, mostly both.
   */
  take(frame: number, count: number): void {
    for (let i = frame; i < frame + count; i++) {
      this.lacking.drop(i);
      this.turn.drop(i);
    }
  }

  isPutOff(frame: number): boolean {
    return this.lacking.has(frame) && !this.turn.has(frame);
  }

  /** Ends a round, after the writes that came during it were noted. */
  end(): void {
    for (let frame = 0; frame < this.ages.length; frame++) {
      this.ages[frame] = (this.ages[frame] >> 1) | (this.written.has(frame) ? 0x80 : 0);
    }
  }
}

/** One bit for each frame: bit i of byte i >> 3 is frame i. Bits behind the last stay clear. */
class Bits {
  readonly bytes: Uint8Array;
  private readonly frameCount: number;

  constructor(frameCount: number) {
    this.frameCount = frameCount;
    this.bytes = new Uint8Array(Math.ceil(frameCount / 8));
  }

  has(frame: number): boolean {
    return (this.bytes[frame >>> 3] & (1 << (frame & 7))) !== 0;
  }

  drop(frame: number): void {
    this.bytes[frame >>> 3] &= ~(1 << (frame & 7));
  }

  clear(): void {
    this.bytes.fill(0);
  }

  fill(): void {
    this.bytes.fill(0xff);
    this.trim();
  }

  copy(other: Bits): void {
    this.bytes.set(other.bytes);
  }

  count(): number {
    let count = 0;
    for (const byte of this.bytes) if (byte !== 0) count += ones(byte);
    return count;
  }

  /** `bits` come from outside: they may have some behind the last frame. */
  add(bits: Uint8Array): void {
    for (let i = 0; i < this.bytes.length; i++) if (bits[i] !== 0) this.bytes[i] |= bits[i];
    this.trim();
  }

  /** Returns how many of them were there. */
  remove(bits: Uint8Array): number {
    let count = 0;
    for (let i = 0; i < this.bytes.length; i++) {
      const both = this.bytes[i] & bits[i];
      if (both === 0) continue;
      count += ones(both);
      this.bytes[i] ^= both;
    }
    return count;
  }

  private trim(): void {
    const rest = this.frameCount & 7;
    if (rest !== 0) this.bytes[this.bytes.length - 1] &= (1 << rest) - 1;
  }
}

/** Bits that are set in a byte. */
function ones(byte: number): number {
  const pairs = byte - ((byte >> 1) & 0x55);
  const fours = (pairs & 0x33) + ((pairs >> 2) & 0x33);
  return (fours + (fours >> 4)) & 0x0f;
}
