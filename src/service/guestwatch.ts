// What a tunnel knows of one guest, for progress and report. It follows what others tell it.
import type { GuestView } from "../migration/guestview.ts";
import type { GuestOutcome } from "../migration/outcome.ts";
import type { GuestPhase, GuestProgress, GuestReport } from "./tunnelapi.ts";

export class GuestWatch {
  readonly name: string;
  outcome: GuestOutcome | undefined;
  private guest: GuestView | undefined;
  private beganAt = 0;
  private endedAt: number | undefined;

  constructor(name: string) {
    this.name = name;
  }

  /** Its stream begins, for the first time or again. */
  begin(guest: GuestView): void {
    this.guest = guest;
    this.outcome = undefined;
    this.beganAt = performance.now();
    this.endedAt = undefined;
  }

  end(outcome: GuestOutcome): void {
    this.outcome = outcome;
    this.endedAt = performance.now();
  }

  get progress(): GuestProgress {
    const { name, guest } = this;
    return {
      name,
      phase: this.phase,
      round: guest?.round ?? 0,
      roundPages: guest?.roundPages ?? 0,
      frameCount: guest?.frameCount ?? 0,
      streamBytes: guest?.streamBytes ?? 0,
      wireBytes: guest?.wireBytes ?? 0,
      elapsedMs: this.elapsedMs,
    };
  }

  get report(): GuestReport {
    const { name, guest, outcome } = this;
    return {
      name,
      outcome: outcome?.kind ?? "failed",
      reason: outcome && outcome.kind !== "migrated" ? outcome.reason : undefined,
      totalMigrationTimeMs: this.elapsedMs,
      handoverMs: guest?.handoverMs,
      doubtMs: guest?.doubtMs,
      rounds: guest?.round ?? 0,
      pagesTransferred: guest?.pageCount ?? 0,
      streamBytes: guest?.streamBytes ?? 0,
      wireBytes: guest?.wireBytes ?? 0,
    };
  }

  private get phase(): GuestPhase {
    return this.outcome?.kind ?? this.guest?.phase ?? "waiting";
  }

  private get elapsedMs(): number {
    return this.guest ? (this.endedAt ?? performance.now()) - this.beganAt : 0;
  }
}
