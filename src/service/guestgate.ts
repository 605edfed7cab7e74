// Where the QEMU of one guest at the source connects: joins its socket to the guest of a gang, in
// both directions, and keeps the socket open while the outcome is in doubt.
import { PagefoldError } from "../core/errors.ts";
import type { GuestListener } from "../migration/guesthost.ts";
import type { GuestSource } from "../migration/guestsource.ts";
import type { GuestOutcome } from "../migration/outcome.ts";
import { furtherConnectionFault } from "../qemu/channels.ts";
import type { Connection } from "../transport/connection.ts";
import type { HeldSocket } from "../transport/hold.ts";
import { SocketConnection } from "../transport/socketconnection.ts";

/** How a guest begins in a gang. */
export type BeginGuest = (listener: GuestListener) => Promise<GuestSource>;

export interface GateOptions {
  readonly name: string;
  /** What whoever holds its socket says when we are gone. */
  readonly lastWords: string;
  readonly begin: BeginGuest;
  /** Told when its stream begins, and when nothing more will happen. */
  onBegin(guest: GuestSource): void;
  onEnd(outcome: GuestOutcome): void;
}

/** One migration of one guest. */
export class GuestGate {
  private readonly connection: Connection;
  private readonly options: GateOptions;
  private held: HeldSocket | undefined;
  private guest: GuestSource | undefined;

  /** Joins `connection`, of which nothing was read yet. */
  static async open(connection: Connection, options: GateOptions): Promise<GuestGate> {
    const gate = new GuestGate(connection, options);
    try {
      await gate.join();
      return gate;
    } catch (error) {
      await gate.held?.release();
      connection.destroy(error as Error);
      throw error;
    }
  }

  private constructor(connection: Connection, options: GateOptions) {
    this.connection = connection;
    this.options = options;
  }

  /** QEMU has connected once more while it migrates: gives both up, naming what to turn off. */
  refuse(further: Connection): void {
    const end = (bytes: Uint8Array): void => {
      const fault = furtherConnectionFault(this.options.name, bytes);
      further.destroy(fault);
      this.guest?.abort(fault.message);
    };
    further.receive({ bytes: end, end: () => end(new Uint8Array(0)) });
  }

  abort(reason: string): void {
    this.guest?.abort(reason);
  }

  private async join(): Promise<void> {
    const { connection, options } = this;
    // Early, so that the moment of the commit need not wait for a process.
    if (connection instanceof SocketConnection) {
      this.held = await connection.hold(options.lastWords);
    }
    const guest = await options.begin({
      returned: (bytes) => connection.write([bytes.slice()]),
      returnEnded: () => connection.end(),
      commit: async () => this.held?.keep(),
      ended: (outcome) => void this.close(outcome),
    });
    this.guest = guest;
    options.onBegin(guest);
    connection.receive({
      bytes: (piece) => {
        const room = guest.write(piece);
        if (!room) return;
        connection.pause();
        void room.then(() => connection.resume());
      },
      end: () => guest.end(),
    });
    void connection.closed.then(() => guest.end());
  }

  /** A guest that stays is let go by closing its socket; one in doubt has to wait. */
  private async close(outcome: GuestOutcome): Promise<void> {
    const { connection, held } = this;
    if (outcome.kind === "doubt") {
      held?.abandon();
    } else {
      await held?.release();
      if (outcome.kind === "migrated") connection.end();
      else connection.destroy(new PagefoldError("CONNECTION", outcome.reason));
    }
    this.options.onEnd(outcome);
  }
}
