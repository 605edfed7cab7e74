// SIGINT and SIGTERM become an abort, so that temporary files are removed; the second one ends the
// process at once. SIGHUP is left alone: a handler would undo nohup.
import { constants } from "node:os";

/** Aborted by a signal; its reason is an `Interruption`. */
export const interrupt = new AbortController();

/** Why the operation ended: the user, or somebody else, wanted it to. */
export class Interruption extends Error {
  readonly code = "INTERRUPTED";
  readonly exitCode: number;

  constructor(signalName: "SIGINT" | "SIGTERM") {
    super(signalName === "SIGINT" ? "interrupted" : "terminated");
    this.exitCode = 128 + constants.signals[signalName];
  }
}

export function listenForSignals(): void {
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      const interruption = new Interruption(name);
      if (interrupt.signal.aborted) process.exit(interruption.exitCode);
      interrupt.abort(interruption);
    });
  }
}
