// Pages that another host sends need not be sent twice: between matching and encoding, the pages
// of a batch whose content would go over the link get their digests, and whoever knows which hosts
// have them says which are sent by name. Named pages have no slot: nothing may refer to them.
import type { Region } from "../core/arena.ts";
import { DIGEST_BYTES, PAGE_BYTES } from "../core/page.ts";
import { Action, Outcome, PLAN_BYTES, slabPart } from "../core/slab.ts";
import type { Scope } from "../dedup/scope.ts";
import { LOOKUP_FULL, LOOKUP_INSERTED, LOOKUP_NONE } from "../kernels/abi.ts";
import type { Batch } from "./batch.ts";
import type { PreviousOf } from "./match.ts";
import type { EngineResources } from "./resources.ts";

/** Knows what other hosts send. */
export interface PageNames {
  /** What digests are keyed with. */
  readonly digestKey: Uint8Array;
  /**
   * For each digest 1 if its page may be sent by name. `handles` are entries of the scope: by them
   * the content is found later. Answers come in the order of the calls.
   */
  claim(digests: Uint8Array, handles: Uint32Array): Promise<Uint8Array>;
  /** The page at `pagePtr` is to be sent by name; false if its content has to be sent after all. */
  hold(digest: Uint8Array, entry: number, pagePtr: number): boolean;
  /** Whether pages of the batch may be sent by name at all. */
  mayName(batch: Batch): boolean;
}

export class PageNamer {
  private readonly resources: EngineResources;
  private readonly scope: Scope;
  private readonly names: PageNames;
  private readonly key: Region;
  private named: Promise<unknown> = Promise.resolve();
  /** By ordinal: digests of the pages that are sent by name, in their order. */
  private readonly digests = new Map<number, Uint8Array>();

  constructor(resources: EngineResources, scope: Scope, names: PageNames) {
    this.resources = resources;
    this.scope = scope;
    this.names = names;
    const { digestKey } = names;
    this.key = resources.arena.reserve(digestKey.length, "the key of digests");
    resources.arena.bytes.set(digestKey, this.key.ptr);
  }

  /** Changes the plan of a matched batch. Batches are named in their order. */
  async name(batch: Batch, previousOf: PreviousOf | undefined): Promise<void> {
    const before = this.named;
    const answer = this.ask(batch, previousOf);
    const named = Promise.all([answer, before]).then(([states]) => this.apply(batch, states));
    this.named = named.catch(() => undefined);
    await named;
  }

  /** Digests of the pages of an emitted batch that are sent by name; once. */
  take(ordinal: number): Uint8Array | undefined {
    const digests = this.digests.get(ordinal);
    this.digests.delete(ordinal);
    return digests;
  }

  close(): void {
    this.resources.arena.release(this.key);
  }

  /** One state for each page that is asked for. Those are listed in the slab. */
  private async ask(batch: Batch, previousOf: PreviousOf | undefined): Promise<Uint8Array> {
    const { arena, pool } = this.resources;
    const { slabPtr } = batch;
    const count = this.names.mayName(batch) ? this.list(batch, previousOf) : 0;
    if (count === 0) return new Uint8Array(0);
    await pool.run<"digest">({ kind: "digest", slabPtr, count, keyPtr: this.key.ptr });
    const asked = slabPart(slabPtr, "asked") / 4;
    const entries = slabPart(slabPtr, "entries") / 4;
    const handles = new Uint32Array(count);
    for (let i = 0; i < count; i++) handles[i] = arena.words[entries + arena.words[asked + i]];
    const digests = arena.at(slabPart(slabPtr, "digests"), count * DIGEST_BYTES).slice();
    return this.names.claim(digests, handles);
  }

  /** Lists what would be stored, a delta against other pages, or equal to what has no slot. */
  private list(batch: Batch, previousOf: PreviousOf | undefined): number {
    const { words, bytes } = this.resources.arena;
    const { slabPtr } = batch;
    const [plan, asked] = [slabPart(slabPtr, "plan"), slabPart(slabPtr, "asked") / 4];
    const entries = slabPart(slabPtr, "entries") / 4;
    const codes = slabPart(slabPtr, "codes");
    let count = 0;
    for (let page = 0; page < batch.frames.length; page++) {
      const action = words[(plan + page * PLAN_BYTES) / 4];
      if (action === Action.NONE || bytes[codes + page] === LOOKUP_FULL) continue;
      if (action === Action.VERIFY && this.scope.slotOf(words[entries + page])) continue;
      // What the guest has written since is nobody else's.
      if (action === Action.DELTA && previousOf?.(batch, page) !== undefined) continue;
      words[asked + count++] = page;
    }
    return count;
  }

  private apply(batch: Batch, states: Uint8Array): void {
    if (!this.names.mayName(batch)) this.storeNamed(batch);
    const { arena } = this.resources;
    const { words } = arena;
    const { slabPtr } = batch;
    const asked = slabPart(slabPtr, "asked") / 4;
    const entries = slabPart(slabPtr, "entries") / 4;
    const digests = slabPart(slabPtr, "digests");
    const named: number[] = [];
    for (let i = 0; i < states.length; i++) {
      const page = words[asked + i];
      const entry = words[entries + page];
      const plan = (slabPart(slabPtr, "plan") + page * PLAN_BYTES) / 4;
      // What is equal to a page that is stored needs no name.
      if (words[plan] === Action.VERIFY && !this.scope.isNamed(entry)) continue;
      const digest = arena.at(digests + i * DIGEST_BYTES, DIGEST_BYTES);
      const pagePtr = slabPart(slabPtr, "pages") + page * PAGE_BYTES;
      if (states[i] === 1 && this.names.hold(digest, entry, pagePtr)) {
        words[plan] = Action.NONE;
        words[plan + 2] = Outcome.NAMED;
        this.scope.setNamed(entry);
        named.push(i);
      } else if (this.scope.isNamed(entry)) this.store(slabPtr, page, entry);
    }
    if (named.length === 0) return;
    const list = new Uint8Array(named.length * DIGEST_BYTES);
    for (const [at, i] of named.entries()) {
      list.set(arena.at(digests + i * DIGEST_BYTES, DIGEST_BYTES), at * DIGEST_BYTES);
    }
    this.digests.set(batch.ordinal, list);
  }

  /** Pages that equal named ones are stored: from then on others can be equal to them. */
  private storeNamed(batch: Batch): void {
    const { words, bytes } = this.resources.arena;
    const { slabPtr } = batch;
    for (let page = 0; page < batch.frames.length; page++) {
      const entry = words[slabPart(slabPtr, "entries") / 4 + page];
      const code = bytes[slabPart(slabPtr, "codes") + page];
      if (code === LOOKUP_NONE || code === LOOKUP_FULL) continue;
      if (this.scope.isNamed(entry)) this.store(slabPtr, page, entry);
    }
  }

  private store(slabPtr: number, page: number, entry: number): void {
    const { words, bytes } = this.resources.arena;
    words[(slabPart(slabPtr, "plan") + page * PLAN_BYTES) / 4] = Action.STORE;
    // As if it were the first of its kind: its entry gets the slot.
    bytes[slabPart(slabPtr, "codes") + page] = LOOKUP_INSERTED;
    this.scope.setStored(entry);
  }
}
