// What the target of a gang is told: which guests may come, and where their streams go.
import type { Connection } from "../transport/connection.ts";
import type { GuestSink } from "./guestdelivery.ts";
import type { GuestView } from "./guestview.ts";
import type { LinkTimes } from "./link.ts";
import type { RackTargetOptions } from "./racktarget.ts";

export interface GangTargetOptions {
  readonly connection: Connection;
  /** Must be what the source was told. */
  readonly scope?: string | undefined;
  /** Whether a guest of this name may come. */
  expects(name: string): boolean;
  /** Where the stream of a guest goes: asked when it begins. Rejects if it cannot come. */
  sinkOf(name: string, guest: GuestReturns): Promise<GuestSink>;
  /** Nothing more will happen to a guest. */
  onGuestOver(name: string, reason: string | undefined): void;
  /**
   * The rack that this host is part of, for a source that sends pages by name. `secret` is the
   * scope's, empty if it has none. Undefined, or resolves to it: none are sent so.
   */
  readonly rack?: ((secret: Uint8Array) => Promise<RackTargetOptions | undefined>) | undefined;
  /** Told how to know what became of pages that came by name. */
  readonly onRack?: ((counts: () => RackCounts) => void) | undefined;
  readonly times?: LinkTimes | undefined;
}

/** Pages that go by name. */
export interface RackCounts {
  readonly named: number;
  /** Those whose content the source had to send after all. */
  readonly answered: number;
  /** Pages of this host that others wanted: of the source (source), put into the store (target). */
  readonly shared: number;
  /** Digests that the index was asked about (source). */
  readonly asked?: number;
  /** Names that the store has resolved (target). */
  readonly found?: number;
}

/** What a sink tells of its hypervisor. */
export interface GuestReturns extends GuestView {
  /** Resolves when more should come. */
  returned(bytes: Uint8Array): Promise<void>;
  returnEnded(): void;
  abort(reason: string): void;
}
