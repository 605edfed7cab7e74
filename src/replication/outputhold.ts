// Output commit: what a guest sends is held until the epoch that knows of it is durable, so that no
// guest that is resumed is behind what the world has heard. Whose packets wait where is the
// hypervisor's business; which of them may go is decided here.
import { performance } from "node:perf_hooks";
import type { EpochOutput } from "../wire/epochheads.ts";

/** Holds what a guest sends: `OutputFilters` of a QEMU, or another hypervisor's means. */
export interface OutputHold {
  /** Whether something is held, or would be if the guest sent it now. */
  readonly isHolding: boolean;
  /**
   * Closes what is held up to now under a number, higher than any before, and holds what comes.
   * The moment of an epoch follows: what is sent between the two waits longer than it must.
   */
  seal(number: number): Promise<void>;
  /** Lets go, in the order in which it was sent, what was sealed up to a number. */
  release(number: number): Promise<void>;
  /** Lets everything go, and holds nothing until the next seal. */
  letGo(): Promise<void>;
}

/** What a seal has made of an epoch. */
export interface OutputSeal {
  readonly number: number;
  readonly output: EpochOutput;
}

export class OutputCommit {
  private readonly hold: OutputHold;
  private readonly mayGoUnprotected: boolean;
  private seals = 0;
  /** When the last epoch was durable, while output is held. */
  private durableAt = performance.now();

  constructor(hold: OutputHold, mayGoUnprotected: boolean) {
    this.hold = hold;
    this.mayGoUnprotected = mayGoUnprotected;
  }

  /**
   * Called just before the moment of an epoch. Until the backup has a whole memory there is nothing
   * to be ahead of, and a guest is not cut off while that is sent.
   */
  async seal(hasMemory: boolean): Promise<OutputSeal> {
    const number = ++this.seals;
    if (!hasMemory && !this.hold.isHolding) return { number, output: "behind" };
    if (!this.hold.isHolding) this.durableAt = performance.now();
    await this.hold.seal(number);
    // Whoever may let output go without a backup cannot tell the backup when it does.
    return { number, output: this.mayGoUnprotected ? "behind" : "held" };
  }

  /** The epoch of this seal is durable. */
  async durable({ number }: OutputSeal): Promise<void> {
    this.durableAt = performance.now();
    await this.hold.release(number);
  }

  /** The backup is lost; returns what is to be said about output. */
  async lost(): Promise<string | undefined> {
    if (!this.hold.isHolding) return undefined;
    if (this.mayGoUnprotected) {
      await this.hold.letGo();
      return "the guest goes on unprotected: its output is not held";
    }
    const seconds = ((performance.now() - this.durableAt) / 1000).toFixed(1);
    return `output of the guest is held, for ${seconds} s so far`;
  }

  /** Replication is over; what may not go unprotected stays held. Returns what is to be said. */
  async end(): Promise<string | undefined> {
    if (!this.hold.isHolding) return undefined;
    if (!this.mayGoUnprotected) return "output of the guest stays held until it is released";
    await this.hold.letGo();
    return undefined;
  }
}
