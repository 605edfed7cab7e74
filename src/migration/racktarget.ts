// A gang's target as a member of its rack: numbers the pages that came by name, hands those that
// are found to their guests, and fills the rack's store from the slots of its session. Joins the
// decisions of RackPages to batches, slots and guests.
import type { Region } from "../core/arena.ts";
import { digestAt } from "../core/digests.ts";
import { PAGE_BYTES } from "../core/page.ts";
import type { HashedPage } from "../core/pagegroup.ts";
import { GroupUnpacker } from "../pipeline/pagegroups.ts";
import type { EngineResources } from "../pipeline/resources.ts";
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
  private readonly key: Region;
  private readonly unpacker: GroupUnpacker;
  private readonly guests = new Map<number, GuestTarget>();
  private nameCount = 0;
  private readonly running = new Set<Promise<unknown>>();

  constructor(
    resources: EngineResources,
    options: RackTargetOptions,
    tell: (type: SessionType, head: Uint8Array) => void,
  ) {
    this.resources = resources;
    const { arena } = resources;
    const { key, unpacker } = arena.allOrNothing(() => {
      const key = arena.reserve(options.digestKey.length, "the key of digests");
      return { key, unpacker: new GroupUnpacker(resources, key) };
    });
    this.key = key;
    this.unpacker = unpacker;
    arena.bytes.set(options.digestKey, key.ptr);
    this.pages = new RackPages({
      store: options.store,
      clock: options.clock ?? MACHINE_CLOCK,
      session: {
        unpack: (groups, visit) => this.unpacker.unpack(groups, visit),
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
    for (let i = 0; i < names.length; i++) this.pages.named(names[i], digestAt(digests, i));
  }

  /** The source has sent the content of these names. */
  answer(names: readonly number[], { pages, hashes, release }: UnfoldedPages): void {
    const { words, from, stride } = hashes;
    try {
      names.forEach((name, i) => {
        const bytes = pages.subarray(i * PAGE_BYTES, (i + 1) * PAGE_BYTES);
        this.pages.answered(name, { bytes, words, hashAt: from + i * stride });
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
    const { packed } = await this.unfolder.pack(slots, digests, this.key.ptr);
    const shared = packed.then((groups) => this.pages.put(groups));
    this.running.add(shared);
    const forget = (): void => void this.running.delete(shared);
    shared.then(forget, forget);
  }

  async close(): Promise<void> {
    await this.pages.close();
    await this.unpacker.close();
    await Promise.allSettled(this.running);
    this.resources.arena.release(this.key);
  }

  private arrived(number: number, { bytes, words, hashAt }: HashedPage): void {
    const guest = this.guests.get(number);
    this.guests.delete(number);
    guest?.arrived(number, bytes, words, hashAt);
  }
}
