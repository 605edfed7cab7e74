// What a migration of a gang came to: per guest, and as figures.

/** What became of one guest. Times are milliseconds since 1970. */
export interface GuestOutcome {
  name: string;
  /** QEMU's word at the source; "gone" when it has ended. */
  status: string;
  /** QEMU's own reason. */
  reason?: string | undefined;
  stoppedMs?: number | undefined;
  resumedMs?: number | undefined;
  completedMs?: number | undefined;
}

export interface MoveReport {
  wireBytes: number;
  /** Bytes on the way back, from the target to the source. */
  returnBytes: number;
  /** When the guests were ordered to migrate. Milliseconds since 1970. */
  startedMs: number;
  /** From the order to migrate until no guest needs the source any more and all are there. */
  totalMs: number;
  /** From the source's STOP to the target's RESUME; only of targets that start by themselves. */
  downtimesMs: number[];
  /** Pages of RAM that differ, per guest; only when targets stay paused. */
  differing?: number[];
  /** Processor seconds of all QEMUs, guests included, from the order to the end. */
  qemuCpuSeconds: number;
  tunnel?: { cpuSeconds: number; sourcePeakBytes: number; targetPeakBytes: number };
}
