// What every frame of one image is now, in six bytes a frame: for images whose frames change in
// later rounds, so that an index can be written of what they are in the end.
import { type PagesHead, pushRun, RecordKind, type Run } from "../wire/records.ts";
import { resolveRuns } from "../wire/slotruns.ts";

const FIRST_CAPACITY = 4096;

export class SlotMap {
  /** One more than the last frame that is known. */
  frameCount = 0;
  private kinds = new Uint8Array(FIRST_CAPACITY);
  private items = new Uint8Array(FIRST_CAPACITY);
  /** Cluster, or index of a word. */
  private values = new Uint32Array(FIRST_CAPACITY);
  private readonly words: bigint[] = [];
  private readonly indexOfWord = new Map<bigint, number>();

  /** Takes the frames of a batch; SKIP leaves what is there. */
  put(head: PagesHead): void {
    this.reserve(head.firstFrame + head.frameCount);
    let frame = head.firstFrame;
    for (const run of resolveRuns(head)) {
      if (run.kind !== RecordKind.SKIP) this.putRun(frame, run);
      frame += run.length;
    }
    this.frameCount = Math.max(this.frameCount, frame);
  }

  /** Frames [first, first + count) as a leaf has them. */
  runs(first: number, count: number): Run[] {
    const runs: Run[] = [];
    for (let frame = first; frame < first + count; frame++) pushRun(runs, this.runAt(frame));
    return runs;
  }

  private putRun(first: number, run: Run): void {
    const end = first + run.length;
    this.kinds.fill(run.kind, first, end);
    switch (run.kind) {
      case RecordKind.ZERO:
        return;
      case RecordKind.UNIFORM:
        this.values.fill(this.wordIndex(run.word), first, end);
        return;
      case RecordKind.DUPLICATE:
        this.values.fill(run.cluster, first, end);
        for (let i = 0; i < run.length; i++) this.items[first + i] = run.item + i;
        return;
      default:
        throw new Error(`record kind ${run.kind} in an image with rounds`);
    }
  }

  private runAt(frame: number): Run {
    const kind = this.kinds[frame];
    const value = this.values[frame];
    switch (kind) {
      case RecordKind.ZERO:
        return { kind, length: 1 };
      case RecordKind.UNIFORM:
        return { kind, length: 1, word: this.words[value] };
      case RecordKind.DUPLICATE:
        return { kind, length: 1, cluster: value, item: this.items[frame] };
      default:
        throw new Error(`frame ${frame} was never written`);
    }
  }

  private wordIndex(word: bigint): number {
    let index = this.indexOfWord.get(word);
    if (index === undefined) {
      index = this.words.push(word) - 1;
      this.indexOfWord.set(word, index);
    }
    return index;
  }

  private reserve(frames: number): void {
    if (frames <= this.kinds.length) return;
    const capacity = Math.max(frames, this.kinds.length * 2);
    const { kinds, items, values } = this;
    this.kinds = new Uint8Array(capacity);
    this.items = new Uint8Array(capacity);
    this.values = new Uint32Array(capacity);
    this.kinds.set(kinds);
    this.items.set(items);
    this.values.set(values);
  }
}
