// Processor time and memory that a process has taken so far, as the kernel tells it.
import { readFileSync } from "node:fs";

export interface Usage {
  /** With that of children which it has waited for. */
  cpuSeconds: number;
  /** The most memory that was resident at once. */
  peakBytes: number;
}

/** Of the clock that /proc counts in; the same on every Linux that runs Node. */
const TICKS_PER_SECOND = 100;
/** A process is looked at so often, because nothing tells what it took once it has gone. */
const LOOK_MS = 20;

/** Undefined when there is no such process any more. */
export function usageOf(pid: number): Usage | undefined {
  try {
    // The name of the program stands in brackets and may hold anything, blanks included.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const peak = /^VmHWM:\s*(\d+) kB$/m.exec(status);
    // Nothing but its state is left of one that has ended.
    if (!peak) return undefined;
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    return { cpuSeconds: ticks / TICKS_PER_SECOND, peakBytes: Number(peak[1]) * 1024 };
  } catch {
    return undefined;
  }
}

/** Keeps the last usage of a process until `stop`, or until it ends. */
export class UsageWatch {
  #last: Usage = { cpuSeconds: 0, peakBytes: 0 };
  #pid: number;
  #timer: NodeJS.Timeout;

  constructor(pid: number) {
    this.#pid = pid;
    this.#timer = setInterval(() => this.usage, LOOK_MS).unref();
  }

  get usage(): Usage {
    this.#last = usageOf(this.#pid) ?? this.#last;
    return this.#last;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
