// A guest whose memory a test writes to, as a source of epochs.
import type { CapturedEpoch, CaptureSink, ZeroRun } from "../../src/replication/capture.ts";
import type { GuestIdentity } from "../../src/replication/storeidentity.ts";
import type { SeededRandom } from "./random.ts";

const PAGE_BYTES = 4096;

type Hooks = { justBefore?: (() => Promise<void>) | undefined };

export class MadeGuest {
  readonly memory: Uint8Array;
  readonly identity: GuestIdentity;
  /** Memory of every epoch that was captured, the first first. */
  readonly epochs: Uint8Array[] = [];
  private readonly random: SeededRandom;

  constructor(random: SeededRandom, pageCounts: readonly number[], machine = "made-1.0") {
    this.random = random;
    const ramBlocks = pageCounts.map((pages, i) => ({
      name: `block${i}`,
      byteLength: pages * PAGE_BYTES,
    }));
    this.identity = { machine, qemuVersion: "7.2.0", pageBytes: PAGE_BYTES, ramBlocks };
    this.memory = new Uint8Array(pageCounts.reduce((a, b) => a + b) * PAGE_BYTES);
  }

  get frameCount(): number {
    return this.memory.length / PAGE_BYTES;
  }

  /** Writes here and there, fills pages and clears others. */
  work(writes: number): void {
    const { random, memory } = this;
    for (let i = 0; i < writes; i++) {
      const page = random.int(this.frameCount) * PAGE_BYTES;
      const kind = random.int(8);
      if (kind === 0) memory.fill(0, page, page + PAGE_BYTES);
      else if (kind === 1) memory.set(random.bytes(PAGE_BYTES), page);
      else memory.set(random.bytes(1 + random.int(20)), page + random.int(PAGE_BYTES - 20));
    }
  }

  /** Hands all pages out in a shuffled order, some of them twice. */
  async epoch(sink: CaptureSink, { justBefore }: Hooks = {}): Promise<CapturedEpoch> {
    await justBefore?.();
    this.work(30);
    const { memory, random, identity } = this;
    this.epochs.push(memory.slice());
    sink.begin(identity);
    const frames = Array.from({ length: this.frameCount }, (_, frame) => frame);
    for (let i = 0; i < 10; i++) frames.push(random.int(this.frameCount));
    for (let i = frames.length - 1; i > 0; i--) {
      const j = random.int(i + 1);
      [frames[i], frames[j]] = [frames[j], frames[i]];
    }
    let pageCount = 0;
    while (frames.length > 0) {
      const room = await sink.room();
      const zeros: ZeroRun[] = [];
      let filled = 0;
      while (frames.length > 0 && (filled + 1) * PAGE_BYTES <= room.pages.length) {
        const frame = frames.pop() as number;
        const page = memory.subarray(frame * PAGE_BYTES, (frame + 1) * PAGE_BYTES);
        if (page.every((byte) => byte === 0)) zeros.push({ frame, count: 1 });
        else {
          room.pages.set(page, filled * PAGE_BYTES);
          room.frames[filled++] = frame;
        }
      }
      pageCount += filled;
      sink.take({ room, pageCount: filled, zeros });
    }
    const deviceState = random.bytes(1 + random.int(random.int(4) === 0 ? 1_200_000 : 2000));
    return { identity, deviceState, stoppedMs: Date.now(), pauseMs: 1, streamBytes: 0, pageCount };
  }
}
