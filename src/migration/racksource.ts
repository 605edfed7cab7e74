// A gang's source as a member of its rack: which pages of its batches go by name, the content of
// those that the target does not find, and what of its slots the target's rack is to have. Joins
// the decisions of RackNames to the batches and slots of a session.
import { ByteWriter } from "../core/bytes.ts";
import { DIGEST_BYTES, PAGE_BYTES } from "../core/page.ts";
import type { Scope } from "../dedup/scope.ts";
import type { Batch } from "../pipeline/batch.ts";
import type { PageNames } from "../pipeline/namer.ts";
import type { EngineResources } from "../pipeline/resources.ts";
import type { IndexMember } from "../store/store.ts";
import { decodeDigests, decodeNumbers, encodeShare } from "../wire/rackheads.ts";
import { type SessionFrame, SessionType } from "../wire/sessionframe.ts";
import { type Clock, MACHINE_CLOCK } from "./adaptiverate.ts";
import type { RackCounts } from "./gangtargetapi.ts";
import { FrameEntries, GuestFrames } from "./guestframes.ts";
import type { FoldedGuest, GuestBatch } from "./guesthost.ts";
import { HeldPages } from "./heldpages.ts";
import { RackNames } from "./racknames.ts";

/** Part of all memory that holds pages sent by name. */
const HELD_SHARE = 1 / 16;
/** A target puts no more off for one guest, with what is under way. */
const MAX_HELD_PAGES = 24_576;
/** Names of one answer: as many pages as a batch of a guest has. */
const ANSWER_NAMES = 256;
/** Pages of one SHARE. */
const SHARE_PAGES = 512;
/** Wants of pages that have not been emitted wait for them this long. */
const EMIT_MS = 5000;
/** Of whom answers are. */
const NOBODY: FoldedGuest = {
  name: "answers",
  number: 0,
  entries: new FrameEntries(),
  wireBytes: 0,
};

export interface RackSourceOptions {
  readonly member: IndexMember;
  /** Of BLAKE3: 32 bytes. */
  readonly digestKey: Uint8Array;
  /** Told once of each cause why pages are sent that need not be. */
  readonly onNotice?: ((message: string) => void) | undefined;
  readonly clock?: Clock | undefined;
}

/** What it needs of the gang. */
export interface RackGang {
  /** First cluster that the target still has. */
  readonly firstKept: number;
  /** Sends a frame that is about no guest behind what was emitted. */
  tell(type: SessionType, head: Uint8Array): void;
  /** Sends the pages that `fill` puts at an address, as the content of the names it returns. */
  answer(fill: (pagesPtr: number) => readonly number[]): Promise<void>;
}

/** A batch on its way: part of a guest's stream, or the content of names. */
export interface SentBatch {
  readonly guest: FoldedGuest;
  readonly batch: GuestBatch;
  readonly answers?: readonly number[] | undefined;
}

interface WaitingWant {
  readonly digest: Uint8Array;
  readonly entry: number;
  readonly since: number;
}

export class RackSource implements PageNames {
  readonly digestKey: Uint8Array;
  readonly names: RackNames;
  private readonly gang: RackGang;
  private readonly clock: Clock;
  private readonly held: HeldPages;
  private scope: Scope | undefined;
  private readonly toShare: { digest: Uint8Array; slot: readonly [number, number] }[] = [];
  private waitingWants: WaitingWant[] = [];
  private readonly toAnswer: number[] = [];
  private isAnswering = false;

  constructor(resources: EngineResources, options: RackSourceOptions, gang: RackGang) {
    const { arena } = resources;
    this.gang = gang;
    this.digestKey = options.digestKey;
    this.clock = options.clock ?? MACHINE_CLOCK;
    const share = Math.floor((arena.bytes.length * HELD_SHARE) / PAGE_BYTES);
    const heldPages = Math.min(share, MAX_HELD_PAGES);
    this.held = new HeldPages(arena, heldPages);
    this.names = new RackNames({
      member: options.member,
      clock: this.clock,
      heldPages,
      session: {
        store: (digest, entry) => this.share(digest, entry),
        answer: (numbers) => this.answer(numbers),
        notice: (message) => options.onNotice?.(message),
      },
    });
  }

  get counts(): RackCounts {
    const { named, answered, wanted: shared, asked } = this.names.counts;
    return { named, answered, shared, asked };
  }

  /** Where pages are found by the entries that name them. Before the first batch. */
  attach(scope: Scope): void {
    this.scope = scope;
  }

  claim(digests: Uint8Array, handles: Uint32Array): Promise<Uint8Array> {
    return this.names.claim(digests, handles);
  }

  hold(digest: Uint8Array, entry: number, pagePtr: number): boolean {
    const number = this.names.hold(digest, entry);
    if (number === undefined) return false;
    this.held.put(number, pagePtr);
    return true;
  }

  mayName({ frames }: Batch): boolean {
    return (frames as GuestFrames).mayBeNamed;
  }

  /** A batch has been emitted: what was wanted before may have its slot now. */
  emitted(): void {
    if (this.waitingWants.length === 0) return;
    const waiting = this.waitingWants;
    this.waitingWants = [];
    for (const want of waiting) {
      if (this.clock.now() - want.since < EMIT_MS) this.share(want.digest, want.entry, want.since);
    }
  }

  /** Takes a frame of the target that is about names. */
  take(frame: SessionFrame): void {
    if (frame.type === SessionType.SHARED) this.names.stored(decodeDigests(frame));
    else if (frame.type === SessionType.MISSING) this.names.missing(decodeNumbers(frame));
    else {
      const numbers = decodeNumbers(frame);
      this.names.resolved(numbers);
      for (const number of numbers) this.held.drop(number);
    }
  }

  /** Leaves the index; `end` has to follow when nothing is under way any more. */
  close(): Promise<void> {
    this.toAnswer.length = 0;
    return this.names.close();
  }

  end(): void {
    this.held.close();
  }

  /** Has the target put a page into its rack's store. False if its slots do not have it. */
  private share(digest: Uint8Array, entry: number, since = this.clock.now()): boolean {
    const slot = this.scope?.slotOf(entry);
    if (!slot) {
      if (this.scope?.isNamed(entry)) return false;
      this.waitingWants.push({ digest: digest.slice(), entry, since });
      return true;
    }
    if (slot.isBase || slot.cluster < this.gang.firstKept) return false;
    if (this.toShare.length === 0) queueMicrotask(() => this.sendShares());
    this.toShare.push({ digest: digest.slice(), slot: [slot.cluster, slot.item] });
    return true;
  }

  private sendShares(): void {
    const { firstKept } = this.gang;
    // One slot that was dropped meanwhile would cost the target all of its frame.
    const shares = this.toShare.filter(({ slot: [cluster] }) => cluster >= firstKept);
    this.toShare.length = 0;
    while (shares.length > 0) {
      const part = shares.splice(0, SHARE_PAGES);
      const digests = new Uint8Array(part.length * DIGEST_BYTES);
      for (const [i, { digest }] of part.entries()) digests.set(digest, i * DIGEST_BYTES);
      const slots = part.map(({ slot }) => slot);
      this.gang.tell(SessionType.SHARE, encodeShare({ digests, slots }));
    }
  }

  private answer(numbers: readonly number[]): void {
    for (const number of numbers) this.toAnswer.push(number);
    if (!this.isAnswering) void this.answerAll();
  }

  private async answerAll(): Promise<void> {
    this.isAnswering = true;
    while (this.toAnswer.length > 0) {
      const names = this.toAnswer.splice(0, ANSWER_NAMES);
      await this.gang.answer((pagesPtr) => {
        const sent: number[] = [];
        for (const name of names) {
          // What has been found meanwhile is not held any more.
          if (this.held.copy(name, pagesPtr + sent.length * PAGE_BYTES)) sent.push(name);
        }
        return sent;
      });
    }
    this.isAnswering = false;
  }
}

/** Answers are part of no guest's stream: they have no frames, and are never named themselves. */
export function answerBatch(slabPtr: number, answers: readonly number[]): SentBatch {
  const nothing = { script: new ByteWriter(0), streamBytes: 0, isWithheld: false };
  const none = { pages: new Uint8Array(0), frames: new Uint32Array(0), mayBeNamed: false };
  const batch = { slabPtr, pageCount: answers.length, ...nothing, ...none };
  return { guest: NOBODY, batch, answers };
}

export function answerFrames(pageCount: number): GuestFrames {
  return new GuestFrames(pageCount, undefined, false);
}
