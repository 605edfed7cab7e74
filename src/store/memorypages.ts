// The pages of a target rack in the memory of one process: for tests, and for simulation, whose
// clock it takes.
import { randomBytes } from "node:crypto";
import { PagefoldError } from "../core/errors.ts";
import { DIGEST_BYTES } from "../core/page.ts";
import type { PageStore, StoreStatus } from "./store.ts";

export interface MemoryPagesOptions {
  readonly clock?: { now(): number } | undefined;
  /** What the pages may take together. Default: 1 GiB. */
  readonly maxBytes?: number | undefined;
}

const DEFAULT_MAX_BYTES = 1 << 30;
const NAME_BYTES = 16;

export class MemoryPages implements PageStore {
  private readonly clock: { now(): number };
  private readonly maxBytes: number;
  private readonly name = randomBytes(NAME_BYTES).toString("hex");
  private readonly pages = new Map<string, { bytes: Uint8Array; until: number }>();
  private byteLength = 0;
  private hits = 0;
  private misses = 0;

  constructor({ clock = performance, maxBytes = DEFAULT_MAX_BYTES }: MemoryPagesOptions = {}) {
    this.clock = clock;
    this.maxBytes = maxBytes;
  }

  async rack(): Promise<string> {
    return this.name;
  }

  async put(digests: Uint8Array, sealed: readonly Uint8Array[], lifeMs: number): Promise<void> {
    const until = this.clock.now() + lifeMs;
    for (const [i, bytes] of sealed.entries()) {
      const name = nameAt(digests, i);
      this.drop(name);
      if (this.byteLength + bytes.length > this.maxBytes) this.expire();
      if (this.byteLength + bytes.length > this.maxBytes) {
        const held = `${this.byteLength} of ${this.maxBytes} bytes`;
        throw new PagefoldError("LIMIT", `rack store: full, it holds ${held}`);
      }
      this.byteLength += bytes.length;
      // A copy even of a Buffer, whose slice() is a view.
      this.pages.set(name, { bytes: new Uint8Array(bytes), until });
    }
  }

  async get(digests: Uint8Array): Promise<(Uint8Array | undefined)[]> {
    const now = this.clock.now();
    const found: (Uint8Array | undefined)[] = [];
    for (let i = 0; i < digests.length / DIGEST_BYTES; i++) {
      const page = this.pages.get(nameAt(digests, i));
      const isThere = page !== undefined && page.until > now;
      found.push(isThere ? page.bytes : undefined);
      if (isThere) this.hits++;
      else this.misses++;
    }
    return found;
  }

  async status(): Promise<StoreStatus> {
    this.expire();
    const { hits, misses } = this;
    return { rack: this.name, pages: this.pages.size, hits, misses };
  }

  async close(): Promise<void> {}

  private drop(name: string): void {
    const page = this.pages.get(name);
    if (!page) return;
    this.pages.delete(name);
    this.byteLength -= page.bytes.length;
  }

  private expire(): void {
    const now = this.clock.now();
    for (const [name, { until }] of this.pages) {
      if (until <= now) this.drop(name);
    }
  }
}

function nameAt(digests: Uint8Array, i: number): string {
  const at = digests.byteOffset + i * DIGEST_BYTES;
  return Buffer.from(digests.buffer, at, DIGEST_BYTES).toString("latin1");
}
