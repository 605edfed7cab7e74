// What captures of a guest have in common: where pages go, what an epoch leaves. A captured epoch
// is the whole memory of one moment; what of it has changed is found out behind the sink.
import type { GuestIdentity } from "./storeidentity.ts";

/** Where the next pages go. */
export interface PageRoom {
  /** Whole pages; as many as fit here come in one batch. */
  readonly pages: Uint8Array;
  /** As many numbers as pages at least. */
  readonly frames: Uint32Array;
}

export interface ZeroRun {
  readonly frame: number;
  readonly count: number;
}

/** Pages in the order of their arrival. If a frame comes twice, the later content counts. */
export interface CapturedBatch {
  readonly room: PageRoom;
  /** So many pages and frames of the room are filled. */
  readonly pageCount: number;
  /** Frames that are zero. */
  readonly zeros: readonly ZeroRun[];
}

/** Takes the memory of an epoch. */
export interface CaptureSink {
  /** Told before the first page of every epoch; what it throws gives the epoch up. */
  begin(identity: GuestIdentity): void;
  /**
   * Room for the next batch. The guest may have to wait for a page that it writes to until that was
   * taken, so this should not last.
   */
  room(): PageRoom | Promise<PageRoom>;
  /** The room is the sink's again. */
  take(batch: CapturedBatch): void;
}

/** What an epoch is beside its pages. */
export interface CapturedEpoch {
  readonly identity: GuestIdentity;
  /** Opaque: `resumeStream` knows it. */
  readonly deviceState: Uint8Array;
  /** How long the guest stood still, by its QEMU's clock. */
  readonly pauseMs: number;
  /** When it was stopped: milliseconds since 1970. */
  readonly stoppedMs: number;
  /** What its QEMU wrote. */
  readonly streamBytes: number;
  /** Non-zero pages that were handed out. */
  readonly pageCount: number;
}

/** Where epochs come from: `GuestCapture`, or the callbacks of another hypervisor. */
export interface EpochSource {
  /** Hands out what may have changed since the epoch before; at first the whole memory. */
  epoch(sink: CaptureSink, options: EpochSourceOptions): Promise<CapturedEpoch>;
}

export interface EpochSourceOptions {
  readonly signal: AbortSignal | undefined;
  /** To be called just before the moment that is handed out; there when output is held. */
  readonly justBefore?: (() => Promise<void>) | undefined;
}
