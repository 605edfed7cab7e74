// The pages of a target rack in the memory of one process: for tests, and for simulation, whose
// clock it takes.
import { randomBytes } from "node:crypto";
import { digestsIn } from "../core/digests.ts";
import { PagefoldError } from "../core/errors.ts";
import type { PageStore, SealedGroup, StoreStatus } from "./store.ts";

export interface MemoryPagesOptions {
  readonly clock?: { now(): number } | undefined;
  /** What the pages may take together. Default: 1 GiB. */
  readonly maxBytes?: number | undefined;
}

const DEFAULT_MAX_BYTES = 1 << 30;
const NAME_BYTES = 16;

interface Group extends SealedGroup {
  readonly until: number;
}

export class MemoryPages implements PageStore {
  private readonly clock: { now(): number };
  private readonly maxBytes: number;
  private readonly name = randomBytes(NAME_BYTES).toString("hex");
  /** By their names, the oldest first, and by the digests of their pages. */
  private readonly groups = new Map<string, Group>();
  private readonly pages = new Map<string, Group>();
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

  async put(groups: readonly SealedGroup[], lifeMs: number): Promise<void> {
    const until = this.clock.now() + lifeMs;
    for (const { name, digests, sealed } of groups) {
      if (this.byteLength + sealed.length > this.maxBytes) this.expire();
      if (this.byteLength + sealed.length > this.maxBytes) {
        const held = `${this.byteLength} of ${this.maxBytes} bytes`;
        throw new PagefoldError("LIMIT", `rack store: full, it holds ${held}`);
      }
      this.byteLength += sealed.length - (this.groups.get(textOf(name))?.sealed.length ?? 0);
      // Copies even of Buffers, whose slice() is a view.
      const copy = (bytes: Uint8Array) => new Uint8Array(bytes);
      const group = { name: copy(name), digests: copy(digests), sealed: copy(sealed), until };
      this.groups.set(textOf(name), group);
      for (const digest of digestsIn(digests)) this.pages.set(textOf(digest), group);
    }
  }

  async find(digests: Uint8Array): Promise<(Uint8Array | undefined)[]> {
    const now = this.clock.now();
    return digestsIn(digests).map((digest) => {
      const group = this.pages.get(textOf(digest));
      const isThere = group !== undefined && group.until > now;
      if (isThere) this.hits++;
      else this.misses++;
      return isThere ? group.name : undefined;
    });
  }

  async get(names: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    const now = this.clock.now();
    return names.map((name) => {
      const group = this.groups.get(textOf(name));
      return group && group.until > now ? group.sealed : undefined;
    });
  }

  async status(): Promise<StoreStatus> {
    this.expire();
    const { hits, misses } = this;
    return { rack: this.name, pages: this.pages.size, hits, misses };
  }

  async close(): Promise<void> {}

  private expire(): void {
    const now = this.clock.now();
    for (const [name, group] of this.groups) {
      if (group.until > now) continue;
      this.groups.delete(name);
      this.byteLength -= group.sealed.length;
      for (const digest of digestsIn(group.digests)) {
        const page = textOf(digest);
        // A later group may have it as well.
        if (this.pages.get(page) === group) this.pages.delete(page);
      }
    }
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}
