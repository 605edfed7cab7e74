// What a guest at the target needs from its session, and whom it tells.
import type { RunningChecksum } from "../wire/checksum.ts";
import type { SessionType } from "../wire/sessionframe.ts";
import type { GuestTarget } from "./guesttarget.ts";
import type { OutputRoom } from "./outputroom.ts";

/** What a guest at the target needs from its session. */
export interface GuestAnswers {
  send(type: SessionType, guest: number, head?: Uint8Array): Promise<void>;
  /** Names whose pages the guest waits for now, and names it does not need any more. */
  urge(names: readonly number[]): void;
  cancel(names: readonly number[]): void;
  /** The session cannot go on. */
  fail(error: unknown): void;
  /** Nothing more will happen to the guest; `reason` if it did not get here. */
  over(guest: GuestTarget, reason: string | undefined): void;
}

export interface GuestTargetSetup {
  readonly name: string;
  readonly number: number;
  /** Of a stream of which nothing has come. */
  readonly checksum: RunningChecksum;
  /** Bytes of the stream that may be under way. */
  readonly creditBytes: number;
  /** Whether pages may come by name. */
  readonly hasNames: boolean;
  /** Of the session: where streams are put together. */
  readonly room: OutputRoom;
}
