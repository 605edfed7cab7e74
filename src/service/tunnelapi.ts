// What a tunnel is told and what it tells. Bytes are bytes, times are milliseconds.
import type { RackCounts } from "../migration/gangtargetapi.ts";
import type { GuestOutcome } from "../migration/outcome.ts";
import type { RackIndex } from "../store/store.ts";
import type { FrameCounts } from "../wire/imagehead.ts";

/** A guest and the unix socket through which its QEMU migrates. */
export interface TunnelGuest {
  readonly name: string;
  /** Source: we listen here for `migrate`. Target: QEMU listens here (`-incoming unix:PATH`). */
  readonly path: string;
}

/** How both ends of a tunnel are opened. */
export interface TunnelOptions {
  /** The other side, or where to wait for it: "HOST:PORT" or "unix:PATH". */
  readonly address: string;
  readonly guests: readonly TunnelGuest[];
  /** Folder with certificates as QEMU's x509 credentials have it; without, the link is plain. */
  readonly tlsDirectory?: string | undefined;
  /** Allow plain TCP beyond this machine: the network itself protects the guests' memory. */
  readonly insecure?: boolean | undefined;
  /** Who may share content; both ends must be told the same. Default: "". */
  readonly scope?: string | undefined;
  /** Serve on after the last guest. */
  readonly persistent?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told every 250 ms, and at the end. */
  readonly onProgress?: ((progress: TunnelProgress) => void) | undefined;
  /** Told where we wait, when others may come: our address, or the sockets of the guests. */
  readonly onListening?: ((places: readonly string[]) => void) | undefined;
  /** Told of what a user should know while it goes on, one line each. */
  readonly onNotice?: ((message: string) => void) | undefined;
}

/** How strongly to compress: `auto` follows the link. */
export type TunnelLevel = "auto" | "store" | "fast" | "balanced";

export interface TunnelSourceOptions extends TunnelOptions {
  readonly level?: TunnelLevel | undefined;
  /** The most bytes per second that go to the link. */
  readonly rate?: number | undefined;
  /** Of the sockets for QEMU, like 0o660; default 0o600. */
  readonly socketMode?: number | undefined;
  /** Group of the sockets: a name, or a number. */
  readonly socketGroup?: string | undefined;
  /**
   * What hosts of this rack share: the address of a Redis server ("redis://HOST", "rediss://HOST",
   * "redis+unix:///PATH"), or an index of the caller's, which stays open. See docs/interrack.md.
   */
  readonly rackIndex?: string | RackIndex | undefined;
  /** Of the scope, 32 bytes, the same on all hosts: without it any who reach the index may ask. */
  readonly rackKey?: Uint8Array | undefined;
}

/** `waiting`: nothing has come. `memory`: its pages pass. `handover`: paused, devices pass. */
export type GuestPhase = "waiting" | "memory" | "handover" | "postcopy" | GuestOutcome["kind"];

/** One guest so far. */
export interface GuestProgress {
  readonly name: string;
  readonly phase: GuestPhase;
  /** Passes over its memory that have begun. */
  readonly round: number;
  /** Pages of this pass, and frames of its memory, so far as known. */
  readonly roundPages: number;
  readonly frameCount: number;
  /** Of its stream, and of that what went over the link. */
  readonly streamBytes: number;
  readonly wireBytes: number;
  readonly elapsedMs: number;
}

export interface TunnelProgress {
  readonly guests: readonly GuestProgress[];
  readonly streamBytes: number;
  readonly wireBytes: number;
  readonly elapsedMs: number;
}

/** What became of one guest. Names of measures: systems literature, see docs/tunnel.md. */
export interface GuestReport {
  readonly name: string;
  readonly outcome: GuestOutcome["kind"];
  readonly reason: string | undefined;
  /** From the first byte of its stream to its end. */
  readonly totalMigrationTimeMs: number;
  /** From the end of its memory to the answer of the target's QEMU: part of the downtime. */
  readonly handoverMs: number | undefined;
  /** From the release to that answer: when a peer is lost here, nobody can know. */
  readonly doubtMs: number | undefined;
  readonly rounds: number;
  readonly pagesTransferred: number;
  readonly streamBytes: number;
  readonly wireBytes: number;
}

export interface TunnelReport {
  readonly guests: readonly GuestReport[];
  /** Pages of all guests by what was found; the source knows. */
  readonly counts: FrameCounts | undefined;
  /** What was shared with other hosts, where there is a rack. */
  readonly rack: RackCounts | undefined;
  readonly streamBytes: number;
  readonly wireBytes: number;
  readonly elapsedMs: number;
}
