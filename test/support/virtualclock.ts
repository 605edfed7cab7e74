// Time that jumps to whatever is due next once nothing can go on without it, for tests and for the
// simulator of racks: hours pass in moments, and the same program makes the same run.
import type { Clock } from "../../src/migration/adaptiverate.ts";

interface Timer {
  readonly at: number;
  /** Timers of one moment go off in the order in which they were set. */
  readonly order: number;
  /** Undefined when it was called off. */
  fire: (() => void) | undefined;
  /** Nothing that waits for a promise can go on by it. */
  readonly isQuiet: boolean;
}

export class VirtualClock implements Clock {
  private ms = 0;
  private orders = 0;
  /** A binary heap. */
  private readonly timers: Timer[] = [];
  private calledOff = 0;

  now(): number {
    return this.ms;
  }

  /** Timers that have not gone off. */
  get waiting(): number {
    return this.timers.length - this.calledOff;
  }

  /** Calls `fire` at a time; at once when that is over. Quiet is quicker, see Timer. */
  at(ms: number, fire: () => void, isQuiet = false): Timer {
    const timer: Timer = { at: Math.max(ms, this.ms), order: this.orders++, fire, isQuiet };
    this.push(timer);
    return timer;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const onAbort = () => {
        timer.fire = undefined;
        this.calledOff++;
        reject(signal?.reason);
      };
      const timer = this.at(this.ms + ms, () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      });
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** Lets time pass until `work` has settled. Throws when nothing is left that could settle it. */
  async run<T>(work: Promise<T>, limitMs = Number.POSITIVE_INFINITY): Promise<T> {
    let isOver = false;
    const end = () => {
      isOver = true;
    };
    work.then(end, end);
    for (let isQuiet = false; ; ) {
      // Behind all that promises have to say.
      if (!isQuiet) await new Promise((resolve) => setImmediate(resolve));
      if (isOver) return work;
      const timer = this.pop();
      if (timer === undefined) throw new Error(`at ${this.ms} ms all wait for nothing`);
      if (timer.at > limitMs) throw new Error(`not over after ${limitMs} ms`);
      this.ms = timer.at;
      timer.fire?.();
      isQuiet = timer.isQuiet;
    }
  }

  /** Lets so much time pass. */
  async pass(ms: number): Promise<void> {
    await this.run(this.sleep(ms));
  }

  private push(timer: Timer): void {
    const { timers } = this;
    let at = timers.length;
    timers.push(timer);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(timer, timers[parent])) break;
      timers[at] = timers[parent];
      at = parent;
    }
    timers[at] = timer;
  }

  private pop(): Timer | undefined {
    while (this.timers.length > 0) {
      const timer = this.popAny();
      if (timer.fire !== undefined) return timer;
      this.calledOff--;
    }
    return undefined;
  }

  private popAny(): Timer {
    const { timers } = this;
    const first = timers[0];
    const last = timers.pop() as Timer;
    if (timers.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= timers.length) break;
      if (child + 1 < timers.length && isBefore(timers[child + 1], timers[child])) child++;
      if (!isBefore(timers[child], last)) break;
      timers[at] = timers[child];
      at = child;
    }
    timers[at] = last;
    return first;
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
