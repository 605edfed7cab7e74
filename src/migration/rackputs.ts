// Puts groups of pages that others want into the store of the target rack, many in a call, a few
// calls at a time. What does not fit into its queue is dropped: who wants it asks its own source.
import { type PageGroup, pagesOf } from "../core/pagegroup.ts";
import type { BoundedCalls } from "./boundedcalls.ts";

/** Pages after which a call is full, and calls under way. */
const CALL_PAGES = 128;
const CALLS = 4;
/** Pages that wait or are under way. */
const MAX_PAGES = 2048;

export interface RackPutsOptions {
  readonly calls: BoundedCalls;
  put(groups: readonly PageGroup[]): Promise<void>;
  stored(digests: Uint8Array): void;
}

export class RackPuts {
  readonly counts = { put: 0, dropped: 0 };
  private readonly options: RackPutsOptions;
  private queue: PageGroup[] = [];
  /** Those that wait are among them. */
  private pages = 0;
  private callsUnderWay = 0;

  constructor(options: RackPutsOptions) {
    this.options = options;
  }

  put(groups: readonly PageGroup[]): void {
    for (const group of groups) {
      const count = pagesOf(group);
      if (!this.options.calls.isOpen || this.pages + count > MAX_PAGES) {
        this.counts.dropped += count;
        continue;
      }
      this.pages += count;
      this.queue.push(group);
    }
    this.pump();
  }

  private pump(): void {
    while (this.callsUnderWay < CALLS && this.queue.length > 0) {
      const call: PageGroup[] = [];
      let count = 0;
      while (count < CALL_PAGES && this.queue.length > 0) {
        const [group] = this.queue.splice(0, 1);
        call.push(group);
        count += pagesOf(group);
      }
      void this.putAll(call, count);
    }
  }

  private async putAll(groups: readonly PageGroup[], count: number): Promise<void> {
    const { calls, put, stored } = this.options;
    const finish = () => {
      this.counts.put += count;
      stored(Buffer.concat(groups.map(({ digests }) => digests)));
    };
    this.callsUnderWay++;
    const answer = await calls.ask(() => put(groups), finish);
    this.callsUnderWay--;
    this.pages -= count;
    if (answer) finish();
    else this.counts.dropped += count;
    if (!calls.isOpen) {
      const left = this.queue.reduce((sum, group) => sum + pagesOf(group), 0);
      this.counts.dropped += left;
      this.pages -= left;
      this.queue = [];
    }
    this.pump();
  }
}
