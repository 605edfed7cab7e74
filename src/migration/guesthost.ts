// What a guest at the source needs from its gang, and whom it tells.
import type { FoldTarget } from "../qemu/folder.ts";
import type { SessionType } from "../wire/sessionframe.ts";
import type { StreamMark } from "../wire/sessionheads.ts";
import type { FrameEntries } from "./guestframes.ts";
import type { GuestOutcome } from "./outcome.ts";

/** A guest whose pages are folded. */
export interface FoldedGuest {
  readonly name: string;
  readonly number: number;
  readonly frameCount: number;
  readonly entries: FrameEntries;
  /** Bytes that went over the link for it: the gang counts them. */
  wireBytes: number;
}

/** Part of a guest's stream on its way. */
export interface GuestBatch extends FoldTarget {
  readonly slabPtr: number;
  isWithheld: boolean;
}

/** What a guest needs from its gang. */
export interface GuestHost {
  /** A slab's pages, if there is room now. */
  tryBegin(): { slabPtr: number; pages: Uint8Array } | undefined;
  /** Resolves when there may be room. */
  room(): Promise<void>;
  /** Sends a batch on its way, after all before it. */
  add(guest: FoldedGuest, batch: GuestBatch): void;
  /** Gives a slab back that was not used. */
  forget(slabPtr: number): void;
  /** Runs `action` when all that was added before has been handed to the link. */
  afterAll(action: () => void): void;
  send(type: SessionType, guest: number, head?: Uint8Array): void;
}

/** Where what comes back for a guest goes, and who is told. */
export interface GuestListener {
  /** Bytes of the return path. */
  returned(bytes: Uint8Array): void;
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
