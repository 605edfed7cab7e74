// Epochs of memory that is not a QEMU's: pages behind callbacks, with or without somebody who notes
// which frames are written.
import { PAGE_BYTES } from "../core/page.ts";
import type { PageSource } from "../image/image.ts";
import type { CapturedEpoch, CaptureSink, EpochSource } from "./capture.ts";

/** A guest that can be stopped, read and set going again. */
export interface CheckpointSource extends PageSource {
  /** Which guest it is: a backup takes no other into the same directory. */
  readonly name: string;
  /**
   * Sets the bits (bit i of byte i >> 3 is frame i) of all frames that were written since the last
   * call, and forgets them; `into` comes cleared. A frame may be named for nothing, none may be
   * missing. Called while the guest is paused. Without it, every frame is read and compared.
   */
  takeDirty?(into: Uint8Array): Promise<void>;
  /** Stops the guest: when it resolves, nothing writes any more. */
  pause(): Promise<void>;
  /** Lets it run on. Called once after every call of `pause`, even after one that failed. */
  resume(): Promise<void>;
  /** What belongs to the guest besides memory; called while it is paused. Default: nothing. */
  saveState?(): Promise<Uint8Array>;
}

/** Its memory is read while it is paused, which lasts as long as that. */
export function pageEpochs(source: CheckpointSource): EpochSource {
  const ramBlocks = [{ name: "memory", byteLength: source.frameCount * PAGE_BYTES }];
  const [guest, none] = [source.name, "none"];
  const identity = { guest, machine: none, qemuVersion: none, pageBytes: PAGE_BYTES, ramBlocks };
  const dirty = new Uint8Array(Math.ceil(source.frameCount / 8));
  let isFirst = true;
  return {
    async epoch(sink, { signal, justBefore }): Promise<CapturedEpoch> {
      signal?.throwIfAborted();
      sink.begin(identity);
      const stoppedMs = Date.now();
      const beganAt = performance.now();
      let state: Uint8Array | undefined;
      let pageCount = 0;
      try {
        await source.pause();
        await justBefore?.();
        dirty.fill(0);
        await source.takeDirty?.(dirty);
        const isWhole = isFirst || !source.takeDirty;
        isFirst = false;
        pageCount = await handOutFrames(source, isWhole ? undefined : dirty, sink, signal);
        state = await source.saveState?.();
      } finally {
        await source.resume();
      }
      const pauseMs = performance.now() - beganAt;
      const deviceState = state ?? new Uint8Array(0);
      return { identity, deviceState, stoppedMs, pauseMs, streamBytes: 0, pageCount };
    },
  };
}

/** Reads all frames, or those whose bit is set; returns how many. */
async function handOutFrames(
  source: CheckpointSource,
  dirty: Uint8Array | undefined,
  sink: CaptureSink,
  signal: AbortSignal | undefined,
): Promise<number> {
  const isWanted = (frame: number): boolean =>
    frame < source.frameCount && (!dirty || ((dirty[frame >> 3] >> (frame & 7)) & 1) !== 0);
  let total = 0;
  let frame = 0;
  for (;;) {
    const room = await sink.room();
    const capacity = Math.floor(room.pages.length / PAGE_BYTES);
    let pageCount = 0;
    while (pageCount < capacity && frame < source.frameCount) {
      let end = frame;
      while (isWanted(end) && pageCount + end - frame < capacity) end++;
      if (end === frame) {
        frame++;
        continue;
      }
      const at = pageCount * PAGE_BYTES;
      const into = room.pages.subarray(at, at + (end - frame) * PAGE_BYTES);
      await source.read(frame, end - frame, into, signal);
      for (; frame < end; frame++) room.frames[pageCount++] = frame;
    }
    sink.take({ room, pageCount, zeros: [] });
    total += pageCount;
    if (frame === source.frameCount) return total;
  }
}
