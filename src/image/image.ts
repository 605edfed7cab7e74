// What an image is to those who have its pages elsewhere than in a file: somebody's pages behind
// `PageSource` and `PageSink`. Formats live beside this file; segments are core/extent.ts.

/** Anything that can be asked for pages by frame number. */
export interface PageSource {
  /** Frames of 4096 bytes, numbered from 0. */
  readonly frameCount: number;
  /**
   * Fills `into` (count × 4096 bytes, private to this call) with frames [frame, frame + count).
   * Rejects if it cannot; it is never called for frames outside the source.
   */
  read(frame: number, count: number, into: Uint8Array, signal?: AbortSignal): Promise<void>;
}

/** Anything that takes pages by frame number. */
export interface PageSink {
  /** Takes frames [frame, frame + pages.length / 4096). `pages` is only valid during the call. */
  write(frame: number, pages: Uint8Array, signal?: AbortSignal): Promise<void>;
  /**
   * Told of long runs of zero pages instead of being given them. They count even where something
   * else was written before. Without it, zero pages are written like others.
   */
  zero?(frame: number, count: number, signal?: AbortSignal): Promise<void>;
}
