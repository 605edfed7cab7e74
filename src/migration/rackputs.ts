// Puts pages that others want into the store of the target rack, in batches, a few at a time. What
// does not fit into its queue is dropped: who wants it asks its own source instead.
import { DIGEST_BYTES } from "../core/page.ts";
import type { BoundedCalls } from "./boundedcalls.ts";

/** Pages of one call, and calls under way. */
const CALL_PAGES = 64;
const CALLS = 4;
/** Pages that wait or are under way. */
const MAX_PAGES = 2048;

export interface RackPutsOptions {
  readonly calls: BoundedCalls;
  put(digests: Uint8Array, pages: readonly Uint8Array[]): Promise<void>;
  stored(digests: Uint8Array): void;
}

export class RackPuts {
  readonly counts = { put: 0, dropped: 0 };
  private readonly options: RackPutsOptions;
  private queue: { readonly digest: Uint8Array; readonly page: Uint8Array }[] = [];
  private underWay = 0;
  private callsUnderWay = 0;

  constructor(options: RackPutsOptions) {
    this.options = options;
  }

  /** Pages are valid during the call; those that are kept are copied. */
  put(digests: Uint8Array, pages: readonly Uint8Array[]): void {
    const room = this.options.calls.isOpen ? MAX_PAGES - this.underWay - this.queue.length : 0;
    this.counts.dropped += Math.max(pages.length - room, 0);
    pages.slice(0, Math.max(room, 0)).forEach((page, i) => {
      const digest = digests.slice(i * DIGEST_BYTES, (i + 1) * DIGEST_BYTES);
      this.queue.push({ digest, page: page.slice() });
    });
    this.pump();
  }

  private pump(): void {
    while (this.callsUnderWay < CALLS && this.queue.length > 0) {
      const call = this.queue.splice(0, CALL_PAGES);
      const digests = new Uint8Array(call.length * DIGEST_BYTES);
      call.forEach(({ digest }, i) => {
        digests.set(digest, i * DIGEST_BYTES);
      });
      void this.putAll(
        digests,
        call.map(({ page }) => page),
      );
    }
  }

  private async putAll(digests: Uint8Array, pages: readonly Uint8Array[]): Promise<void> {
    const { calls, put } = this.options;
    const finish = () => {
      this.counts.put += pages.length;
      this.options.stored(digests);
    };
    this.callsUnderWay++;
    this.underWay += pages.length;
    const answer = await calls.ask(() => put(digests, pages), finish);
    this.callsUnderWay--;
    this.underWay -= pages.length;
    if (answer) finish();
    else this.counts.dropped += pages.length;
    if (!calls.isOpen) {
      this.counts.dropped += this.queue.length;
      this.queue = [];
    }
    this.pump();
  }
}
