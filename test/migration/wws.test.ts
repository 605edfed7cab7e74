// What is lacking, what is put off, what is hot: against sets of frame numbers.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { WritableFrames } from "../../src/migration/wws.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

function bitsOf(frameCount: number, frames: Iterable<number>): Uint8Array {
  const bits = new Uint8Array(Math.ceil(frameCount / 8));
  for (const frame of frames) bits[frame >> 3] |= 1 << (frame & 7);
  return bits;
}

/** The same in sets: slow and obvious. */
class SlowFrames {
  lacking: Set<number>;
  turn = new Set<number>();
  written = new Set<number>();
  history: Set<number>[] = [];
  putOffPages = 0;
  private readonly frameCount: number;
  private readonly mayPutOff: boolean;
  private isLast = false;

  constructor(frameCount: number, mayPutOff: boolean) {
    this.frameCount = frameCount;
    this.mayPutOff = mayPutOff;
    this.lacking = new Set(Array.from({ length: frameCount }, (_, frame) => frame));
  }

  isHot(frame: number): boolean {
    const last = this.history.slice(-3);
    return last.length === 3 && last.every((written) => written.has(frame));
  }

  get hotPages(): number {
    return Array.from({ length: this.frameCount }, (_, i) => i).filter((i) => this.isHot(i)).length;
  }

  begin(isLast: boolean): void {
    this.isLast = isLast;
    this.written = new Set();
    const putsOff = this.mayPutOff && !isLast;
    this.turn = new Set([...this.lacking].filter((frame) => !putsOff || !this.isHot(frame)));
    this.putOffPages = this.lacking.size - this.turn.size;
  }

  note(frames: Iterable<number>): void {
    for (const frame of frames) {
      this.lacking.add(frame);
      this.written.add(frame);
      if (this.mayPutOff && !this.isLast && this.turn.delete(frame)) this.putOffPages++;
    }
  }

  take(frame: number): void {
    this.lacking.delete(frame);
    this.turn.delete(frame);
  }
}

describe("writable frames", () => {
  it("are the same as in sets, whatever happens", () => {
    const seed = randomSeed("wws");
    fc.assert(
      fc.property(fc.integer(), fc.boolean(), (salt, mayPutOff) => {
        const random = seededRandom(salt);
        const frameCount = 1 + random.int(70);
        const some = () =>
          Array.from({ length: random.int(frameCount) }, () => random.int(frameCount));
        const frames = new WritableFrames(frameCount, mayPutOff);
        const slow = new SlowFrames(frameCount, mayPutOff);
        for (let round = 0; round < 6; round++) {
          const isLast = random.int(5) === 0;
          const turn = frames.begin(isLast);
          slow.begin(isLast);
          for (let step = 0; step < 6; step++) {
            const written = some();
            frames.note(bitsOf(frameCount, written));
            slow.note(written);
            const first = random.int(frameCount);
            const count = random.int(frameCount - first + 1);
            frames.take(first, count);
            for (let i = first; i < first + count; i++) slow.take(i);
            expect(turn).toEqual(bitsOf(frameCount, slow.turn));
            expect(frames.lackingPages).toBe(slow.lacking.size);
            expect(frames.writtenPages).toBe(slow.written.size);
            expect(frames.putOffPages).toBe(slow.putOffPages);
            const frame = random.int(frameCount);
            expect(frames.isPutOff(frame)).toBe(slow.lacking.has(frame) && !slow.turn.has(frame));
          }
          frames.end();
          slow.history.push(slow.written);
          expect(frames.hotPages).toBe(slow.hotPages);
          const isOnlyHot = mayPutOff && [...slow.lacking].every((frame) => slow.isHot(frame));
          expect(frames.onlyHotLacking).toBe(isOnlyHot);
        }
      }),
      { seed, numRuns: 200 },
    );
  });

  it("do not count bits behind the last frame", () => {
    const frames = new WritableFrames(11, true);
    expect(frames.lackingPages).toBe(11);
    expect(frames.begin()).toEqual(Uint8Array.of(0xff, 0x07));
    frames.take(0, 11);
    frames.note(Uint8Array.of(0, 0xff));
    expect(frames.lackingPages).toBe(3);
    expect(frames.writtenPages).toBe(3);
  });

  it("may be none", () => {
    const frames = new WritableFrames(0, true);
    expect(frames.begin().length).toBe(0);
    frames.end();
    expect([frames.lackingPages, frames.hotPages]).toEqual([0, 0]);
  });

  it("cool down after one round without a write", () => {
    const frames = new WritableFrames(8, true);
    for (let round = 0; round < 3; round++) {
      frames.begin();
      frames.note(Uint8Array.of(0b101));
      frames.end();
    }
    expect(frames.begin()).toEqual(Uint8Array.of(0b1111_1010));
    expect(frames.putOffPages).toBe(2);
    frames.note(Uint8Array.of(0b001));
    frames.end();
    expect(frames.begin()).toEqual(Uint8Array.of(0b1111_1110));
  });
});
