// What either end shows of a guest while it migrates. Bytes are bytes, times are milliseconds.
import type { StreamStage } from "./streamprogress.ts";

export interface GuestView {
  readonly phase: StreamStage;
  /** Passes over its memory that have begun; pages of the last one, and of all. 0: not known. */
  readonly round: number;
  readonly roundPages: number;
  readonly pageCount: number;
  readonly frameCount: number;
  readonly streamBytes: number;
  readonly wireBytes: number;
  /** From its last memory to the answer of the target's QEMU. */
  readonly handoverMs: number | undefined;
  /** From the release to that answer. */
  readonly doubtMs: number | undefined;
}
