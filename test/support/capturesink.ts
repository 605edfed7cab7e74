// A sink of captures that keeps the whole memory of a guest, and serves it to its resumption.
import type { CapturedBatch, CaptureSink, PageRoom } from "../../src/replication/capture.ts";
import type { MemoryReader } from "../../src/replication/resumestream.ts";
import type { GuestIdentity } from "../../src/replication/storeidentity.ts";

const PAGE_BYTES = 4096;

export class MemorySink implements CaptureSink, MemoryReader {
  identity: GuestIdentity | undefined;
  bytes = new Uint8Array(0);
  /** How often each frame came in this epoch. */
  arrivals = new Uint8Array(0);
  private readonly spare: PageRoom[] = [];
  private readonly roomPages: number;

  constructor(roomPages = 256) {
    this.roomPages = roomPages;
  }

  begin(identity: GuestIdentity): void {
    this.identity = identity;
    const byteLength = identity.ramBlocks.reduce((sum, block) => sum + block.byteLength, 0);
    // Painted: what does not come is not zero by chance.
    this.bytes = new Uint8Array(byteLength).fill(0xa5);
    this.arrivals = new Uint8Array(byteLength / PAGE_BYTES);
  }

  room(): PageRoom | Promise<PageRoom> {
    const made = (): PageRoom => ({
      pages: new Uint8Array(this.roomPages * PAGE_BYTES),
      frames: new Uint32Array(this.roomPages),
    });
    return this.spare.pop() ?? made();
  }

  take({ room, pageCount, zeros }: CapturedBatch): void {
    for (let i = 0; i < pageCount; i++) {
      const frame = room.frames[i];
      const page = room.pages.subarray(i * PAGE_BYTES, (i + 1) * PAGE_BYTES);
      this.bytes.set(page, frame * PAGE_BYTES);
      this.arrivals[frame]++;
    }
    for (const { frame, count } of zeros) {
      this.bytes.fill(0, frame * PAGE_BYTES, (frame + count) * PAGE_BYTES);
      for (let i = 0; i < count; i++) this.arrivals[frame + i]++;
    }
    this.spare.push(room);
  }

  async read(frame: number, count: number, into: Uint8Array): Promise<void> {
    into.set(this.bytes.subarray(frame * PAGE_BYTES, (frame + count) * PAGE_BYTES));
  }

  /** The content of one block of RAM. */
  block(name: string): Uint8Array {
    let at = 0;
    for (const block of this.identity?.ramBlocks ?? []) {
      if (block.name === name) return this.bytes.subarray(at, at + block.byteLength);
      at += block.byteLength;
    }
    throw new Error(`there is no block ${name}`);
  }
}
