// A gang's target as a member of its rack: numbers the pages that came by name, hands those that
// are found to their guests, and fills the rack's store from the slots of its session. Joins the
// decisions of RackPages to batches, slots and guests.
import type { Region } from "../core/arena.ts";
import { copyBytes } from "../core/copy.ts";
import { PagefoldError } from "../core/errors.ts";
import { DIGEST_BYTES, PAGE_BYTES } from "../core/page.ts";
import { BATCH_PAGES, slabPart } from "../core/slab.ts";
import { SURVEY_RECORD_BYTES } from "../kernels/abi.ts";
import type { EngineResources } from "../pipeline/resources.ts";
import { SlabPool } from "../pipeline/slabs.ts";
import type { BatchUnfolder, UnfoldedPages } from "../pipeline/unfold.ts";
import type { AbsentPages } from "../qemu/absentpages.ts";
import { decodeShare, encodeDigests, encodeNumbers } from "../wire/rackheads.ts";
import { RecordKind, type Run } from "../wire/records.ts";
import { type SessionFrame, SessionType } from "../wire/sessionframe.ts";
import { type Clock, MACHINE_CLOCK } from "./adaptiverate.ts";
import type { RackCounts } from "./gangtargetapi.ts";
import type { GuestTarget } from "./guesttarget.ts";
import { RackPages, type RackPagesOptions } from "./rackpages.ts";

export interface RackTargetOptions {
  /** What the rack is called: where its store is emptied, it is another one. */
  readonly name: string;
  readonly store: RackPagesOptions["store"];
  /** Of BLAKE3: 32 bytes. */
  readonly digestKey: Uint8Array;
  readonly onNotice?: ((message: string) => void) | undefined;
  readonly clock?: Clock | undefined;
}

export class RackTarget {
  readonly pages: RackPages;
  private readonly resources: EngineResources;
  private unfolder: BatchUnfolder | undefined;
  /** Where pages are checked against their digests. */
  private readonly slabs: SlabPool;
  private readonly key: Region;
  private readonly guests = new Map<number, GuestTarget>();
  private nameCount = 0;
  /** A page whose hash is wanted, and what is found of it. */
  private readonly page: Region;
  private readonly running = new Set<Promise<unknown>>();

  constructor(
    resources: EngineResources,
    options: RackTargetOptions,
    tell: (type: SessionType, head: Uint8Array) => void,
  ) {
    this.resources = resources;
    const { arena } = resources;
    const taken = arena.allOrNothing(() => ({
      slabs: new SlabPool(arena, 1),
      page: arena.reserve(2 * PAGE_BYTES, "a page"),
      key: arena.reserve(options.digestKey.length, "the key of digests"),
    }));
    this.slabs = taken.slabs;
    this.key = taken.key;
    arena.bytes.set(options.digestKey, this.key.ptr);
    this.page = taken.page;
    this.pages = new RackPages({
      store: options.store,
      clock: options.clock ?? MACHINE_CLOCK,
      session: {
        verify: (digests, pages) => this.verify(digests, pages),
        arrived: (number, page) => this.arrived(number, page),
        missing: (numbers) => tell(SessionType.MISSING, encodeNumbers(numbers)),
        resolved: (numbers) => tell(SessionType.RESOLVED, encodeNumbers(numbers)),
        stored: (digests) => tell(SessionType.SHARED, encodeDigests(digests)),
        notice: (message) => options.onNotice?.(message),
      },
    });
  }

  readonly counts = (): RackCounts => {
    const { named, answered, put: shared, fetched: found } = this.pages.counts;
    return { named, answered, shared, found };
  };

  /** Says where the slots of the session are. Before the first batch. */
  attach(unfolder: BatchUnfolder): void {
    this.unfolder = unfolder;
  }

  /** Numbers the pages of a batch that came by name, which are SKIP in its runs. */
  number(guest: GuestTarget, runs: readonly Run[]): AbsentPages {
    const [pages, names]: [number[], number[]] = [[], []];
    let page = 0;
    for (const { kind, length } of runs) {
      for (let i = 0; kind === RecordKind.SKIP && i < length; i++) {
        pages.push(page + i);
        names.push(this.nameCount);
        this.guests.set(this.nameCount++, guest);
      }
      page += length;
    }
    return { pages, names };
  }

  /** Looks for pages that were numbered, when their guest expects them. */
  find({ names }: AbsentPages, digests: Uint8Array): void {
    for (let i = 0; i < names.length; i++) {
      this.pages.named(names[i], digests.subarray(i * DIGEST_BYTES, (i + 1) * DIGEST_BYTES));
    }
  }

  /** The source has sent the content of these names. */
  answer(names: readonly number[], { pages, release }: UnfoldedPages): void {
    try {
      names.forEach((name, i) => {
        this.pages.answered(name, pages.subarray(i * PAGE_BYTES, (i + 1) * PAGE_BYTES));
      });
    } finally {
      release();
    }
  }

  /** Nobody waits for these any more. */
  cancel(names: readonly number[]): void {
    for (const name of names) {
      this.guests.delete(name);
      this.pages.cancel(name);
    }
  }

  /** A guest needs nothing any more. */
  forget(guest: GuestTarget): void {
    this.cancel([...this.guests].filter(([, other]) => other === guest).map(([name]) => name));
  }

  /** The source says what others want; one call at a time. */
  async share(frame: SessionFrame): Promise<void> {
    const { digests, slots } = decodeShare(frame);
    if (!this.unfolder || slots.length === 0) return;
    const { picked } = await this.unfolder.pick(slots);
    const shared = picked.then((found) => this.put(digests, found));
    this.running.add(shared);
    const forget = (): void => void this.running.delete(shared);
    shared.then(forget, forget);
  }

  async close(): Promise<void> {
    await this.pages.close();
    this.slabs.fail(new PagefoldError("CONNECTION", "the session is over"));
    await Promise.allSettled(this.running);
    this.slabs.close();
    this.resources.arena.release(this.page);
    this.resources.arena.release(this.key);
  }

  private arrived(number: number, page: Uint8Array): void {
    const guest = this.guests.get(number);
    this.guests.delete(number);
    if (!guest) return;
    const { arena, kernels } = this.resources;
    const at = this.page.ptr;
    const [record, fingerprint] = [at + PAGE_BYTES, at + PAGE_BYTES + SURVEY_RECORD_BYTES];
    copyBytes(page, 0, arena.bytes, at, PAGE_BYTES);
    kernels.survey(at, 1, record, fingerprint);
    guest.arrived(number, arena.at(at, PAGE_BYTES), arena.words, fingerprint / 4);
  }

  private async put(digests: Uint8Array, found: UnfoldedPages): Promise<void> {
    try {
      const { pageCount } = found;
      const isSame = await this.compare(found.slabPtr, digests, pageCount);
      const pages: Uint8Array[] = [];
      const kept = new Uint8Array(digests.length);
      for (let i = 0; i < pageCount; i++) {
        if (!isSame[i]) continue;
        const digest = digests.subarray(i * DIGEST_BYTES, (i + 1) * DIGEST_BYTES);
        kept.set(digest, pages.length * DIGEST_BYTES);
        pages.push(found.pages.subarray(i * PAGE_BYTES, (i + 1) * PAGE_BYTES));
      }
      if (pages.length > 0) this.pages.put(kept.subarray(0, pages.length * DIGEST_BYTES), pages);
    } finally {
      found.release();
    }
  }

  private async verify(digests: Uint8Array, pages: readonly Uint8Array[]): Promise<boolean[]> {
    const verdicts: boolean[] = [];
    for (let first = 0; first < pages.length; first += BATCH_PAGES) {
      const part = pages.slice(first, first + BATCH_PAGES);
      const slabPtr = await this.slabs.lease();
      try {
        const { bytes } = this.resources.arena;
        const at = slabPart(slabPtr, "pages");
        for (const [i, page] of part.entries()) {
          copyBytes(page, 0, bytes, at + i * PAGE_BYTES, PAGE_BYTES);
        }
        const ofPart = digests.subarray(first * DIGEST_BYTES);
        verdicts.push(...(await this.compare(slabPtr, ofPart, part.length)));
      } finally {
        this.slabs.release(slabPtr);
      }
    }
    return verdicts;
  }

  /** For each of the first pages of a slab whether it has its digest. */
  private async compare(slabPtr: number, digests: Uint8Array, count: number): Promise<boolean[]> {
    const { arena, pool } = this.resources;
    const asked = slabPart(slabPtr, "asked") / 4;
    for (let page = 0; page < count; page++) arena.words[asked + page] = page;
    const task = pool.run<"digest">({ kind: "digest", slabPtr, count, keyPtr: this.key.ptr });
    this.running.add(task);
    try {
      await task;
    } finally {
      this.running.delete(task);
    }
    const found = Buffer.from(arena.at(slabPart(slabPtr, "digests"), count * DIGEST_BYTES));
    return Array.from({ length: count }, (_, i) => {
      const [from, to] = [i * DIGEST_BYTES, (i + 1) * DIGEST_BYTES];
      return found.compare(digests, from, to, from, to) === 0;
    });
  }
}
