// Links and servers of the simulator: each does one thing after the other. What is sent in bulk
// queues at every link of its way; calls are small, share links with what is in bulk as flows do,
// and so only pay for their bytes and the way.
import type { VirtualClock } from "../../test/support/virtualclock.ts";

/** Ethernet, IP and TCP: what an interface counts for a byte of a full packet. */
const FRAMING = 1514 / 1448;

export class Link {
  bytes = 0;
  private readonly clock: VirtualClock;
  private readonly bytesPerMs: number;
  private readonly latencyMs: number;
  private freeAt = 0;

  constructor(clock: VirtualClock, mbit: number, latencyMs: number) {
    this.clock = clock;
    this.bytesPerMs = (mbit * 1e6) / 8 / 1000;
    this.latencyMs = latencyMs;
  }

  /** When bytes that come now are through. */
  through(bytes: number): number {
    this.bytes += bytes * FRAMING;
    this.freeAt = Math.max(this.freeAt, this.clock.now()) + (bytes * FRAMING) / this.bytesPerMs;
    return this.freeAt + this.latencyMs;
  }

  /** The same for a small message, which others let pass. */
  besides(bytes: number): number {
    this.through(bytes);
    return bytes / this.bytesPerMs + this.latencyMs;
  }
}

/** Sends in bulk over links, one after the other. */
export function send(
  clock: VirtualClock,
  way: readonly Link[],
  bytes: number,
  arrive: () => void,
): void {
  const hop = (i: number): void => {
    const isLast = i === way.length - 1;
    clock.at(way[i].through(bytes), isLast ? arrive : () => hop(i + 1), !isLast);
  };
  hop(0);
}

/** When a small message that is sent now arrives. */
export function arrivalOf(clock: VirtualClock, way: readonly Link[], bytes: number): number {
  return way.reduce((ms, link) => ms + link.besides(bytes), clock.now());
}

/** A program, or the processors of a machine: what it is asked for is done in turn. */
export class Server {
  busyMs = 0;
  private readonly clock: VirtualClock;
  private readonly parts: number;
  private readonly machine: Server | undefined;
  private freeAt = 0;

  /**
   * `parts`: work goes so many times as fast, because it is spread evenly over so many. `machine`:
   * processors that it shares with others.
   */
  constructor(clock: VirtualClock, parts = 1, machine?: Server) {
    this.clock = clock;
    this.parts = parts;
    this.machine = machine;
  }

  /** When work that comes now is done. */
  doneAt(ms: number): number {
    this.busyMs += ms;
    this.freeAt = Math.max(this.freeAt, this.clock.now()) + ms / this.parts;
    // Others get less of it, but what is as short as a call need not wait until they are done.
    this.machine?.doneAt(ms);
    return this.freeAt;
  }

  work(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.clock.at(this.doneAt(ms), resolve);
    });
  }
}
