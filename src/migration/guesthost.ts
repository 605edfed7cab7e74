// What a guest at the source needs from its gang, and whom it tells.
import type { FoldTarget } from "../qemu/folder.ts";
import type { StreamProof } from "../qemu/streamproof.ts";
import type { SessionType } from "../wire/sessionframe.ts";
import type { StreamMark } from "../wire/sessionheads.ts";
import type { FrameEntries } from "./guestframes.ts";
import type { GuestOutcome } from "./outcome.ts";

/** A guest whose pages are folded. */
export interface FoldedGuest {
  readonly name: string;
  readonly number: number;
  readonly entries: FrameEntries;
  /** What both sides find in the stream, where pages may be sent by name. */
  readonly proof?: StreamProof | undefined;
  /** Bytes that went over the link for it: the gang counts them. */
  wireBytes: number;
}

/** Part of a guest's stream on its way. */
export interface GuestBatch extends FoldTarget {
  readonly slabPtr: number;
  isWithheld: boolean;
  /** Whether its pages may be sent by name. */
  mayBeNamed: boolean;
}

/** What a guest needs from its gang. */
export interface GuestHost {
  /** A slab's pages, if there is room now. */
  tryBegin(): { slabPtr: number; pages: Uint8Array } | undefined;
  /** Whether batches are under way: a small one would only wait behind them. */
  isBusy(): boolean;
  /** Resolves when there may be room. */
  room(): Promise<void>;
  /** Lets all that wait for room look again. */
  wake(): void;
  /**
   * Sends a batch on its way, after all before it. Behind it the content of `forgotten` frames is
   * none that was sent as a page.
   */
  add(guest: FoldedGuest, batch: GuestBatch, forgotten: readonly number[]): void;
  /** Gives a slab back that was not used. */
  forget(slabPtr: number): void;
  /** Runs `action` when all that was added before has been handed to the link. */
  afterAll(action: () => void): void;
  send(type: SessionType, guest: number, head?: Uint8Array): void;
}

/** Where what comes back for a guest goes, and who is told. */
export interface GuestListener {
  /** Bytes of the return path, to keep; a promise resolves when they have been taken. */
  returned(bytes: Uint8Array): Promise<void> | void;
  /** The return path has ended. */
  returnEnded(): void;
  /**
   * Both sides have the same: records that the target owns the guest from now on. COMMIT is sent
   * when it has.
   */
  commit(mark: StreamMark): Promise<void>;
  /** Nothing more will happen. */
  ended(outcome: GuestOutcome): void;
}
