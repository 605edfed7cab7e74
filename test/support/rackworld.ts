// Hosts of one rack that send pages to hosts of another, each over a link of its own, through one
// index and one store that may fail: both ends of src/migration, everything else made up.

import type { PageGroup } from "../../src/core/pagegroup.ts";
import type { Clock } from "../../src/migration/adaptiverate.ts";
import { RackNames } from "../../src/migration/racknames.ts";
import { RackPages } from "../../src/migration/rackpages.ts";
import type { IndexMember } from "../../src/store/store.ts";
import { groupOf, hashed, unpackPlainly } from "./pagegroups.ts";
import type { SeededRandom } from "./random.ts";
import type { VirtualClock } from "./virtualclock.ts";

const BATCH_PAGES = 16;
const DIGEST_BYTES = 32;
const NO_DIGEST = new Uint8Array(0);
const GROUP_PAGES = 4;

/** What is sent one way: each thing is done at the other side, in order. */
class Line {
  isCut = false;
  private readonly clock: VirtualClock;
  private readonly random: SeededRandom;
  private lastAt = 0;

  constructor(clock: VirtualClock, random: SeededRandom) {
    this.clock = clock;
    this.random = random;
  }

  send(arrive: () => void): void {
    this.lastAt = Math.max(this.lastAt, this.clock.now() + 1 + this.random.int(8));
    this.clock.at(this.lastAt, () => {
      if (!this.isCut) arrive();
    });
  }
}

export interface WorldStore {
  put(groups: readonly PageGroup[]): Promise<void>;
  get(digests: Uint8Array): Promise<readonly PageGroup[]>;
}

export interface World {
  readonly clock: VirtualClock;
  readonly random: SeededRandom;
  readonly store: WorldStore;
  readonly heldPages: number;
  /** One of so many wants comes too late for the slots. */
  readonly goneWants: number;
  /** All digests by the number of their page. */
  readonly digests: readonly Uint8Array[];
}

/** The page of a number: it says which. */
export function pageOf(number: number): Uint8Array {
  return Uint8Array.of(number & 0xff, number >> 8, 7, 7);
}

function numberOf(page: Uint8Array): number {
  return page[0] | (page[1] << 8);
}

/** A source host, its target host, and what lies between. */
export class Pair {
  readonly names: RackNames;
  readonly pages: RackPages;
  readonly notices: string[] = [];
  /** Content that was sent over the core, and what is wrong at the target. */
  contents = 0;
  readonly faults: string[] = [];
  readonly received = new Map<number, number>();
  isDead = false;
  private readonly world: World;
  private readonly frames: readonly number[];
  private readonly there: Line;
  private readonly back: Line;
  /** By name, the frame that it stands for. */
  private readonly named: number[] = [];
  private readonly slots = new Map<number, Uint8Array>();
  private sent = 0;
  private early: { readonly digest: Uint8Array; readonly handle: number }[] = [];
  private finish: () => void = () => {};
  readonly done = new Promise<void>((resolve) => {
    this.finish = resolve;
  });

  /** `frames`: for each frame the number of its page, no page twice. */
  constructor(world: World, member: IndexMember, frames: readonly number[]) {
    this.world = world;
    this.frames = frames;
    this.there = new Line(world.clock, world.random);
    this.back = new Line(world.clock, world.random);
    const { clock, store, heldPages } = world;
    const notice = (message: string) => this.notices.push(message);
    this.names = new RackNames({
      member,
      clock: clock as Clock,
      heldPages,
      session: {
        store: (digest, handle) => this.share(digest, handle),
        answer: (numbers) => {
          for (const number of numbers) this.answer(number);
        },
        notice,
      },
    });
    const back = <T>(take: (said: T) => void) => {
      return (said: T) => this.back.send(() => take(said));
    };
    this.pages = new RackPages({
      store,
      clock: clock as Clock,
      session: {
        unpack: async (groups, visit) => unpackPlainly(groups, this.isRight, visit),
        arrived: (number, page) => this.receive(this.named[number], page.bytes),
        missing: back((numbers: readonly number[]) => this.names.missing(numbers)),
        resolved: back((numbers: readonly number[]) => this.names.resolved(numbers)),
        stored: back((digests: Uint8Array) => this.names.stored(digests)),
        notice,
      },
    });
  }

  /** Sends all pages, a batch at a time, and then waits for them. */
  async run(): Promise<void> {
    const { clock, random } = this.world;
    for (let first = 0; first < this.frames.length && !this.isDead; first += BATCH_PAGES) {
      await clock.sleep(random.int(6));
      const batch = this.frames.slice(first, first + BATCH_PAGES);
      const digests = new Uint8Array(batch.length * DIGEST_BYTES);
      batch.forEach((page, i) => {
        digests.set(this.world.digests[page], i * DIGEST_BYTES);
      });
      const handles = Uint32Array.from(batch, (_, i) => first + i);
      const isNamed = await this.names.claim(digests, handles);
      batch.forEach((page, i) => {
        this.sendPage(first + i, page, isNamed[i] === 1);
      });
      this.sent = first + batch.length;
      this.shareEarly();
    }
    // Before the end of RAM all must be there: what is not is waited for.
    this.there.send(() => this.pages.urge([...this.named.keys()]));
    await this.done;
  }

  /** Both hosts are gone from one moment to the next. */
  kill(): void {
    this.isDead = true;
    this.there.isCut = true;
    this.back.isCut = true;
    this.finish();
  }

  async close(): Promise<void> {
    await Promise.all([this.names.close(), this.pages.close()]);
  }

  private sendPage(frame: number, page: number, mayName: boolean): void {
    const number = mayName ? this.names.hold(this.world.digests[page], frame) : undefined;
    if (number === undefined) {
      this.contents++;
      this.there.send(() => this.keep(frame, pageOf(page)));
      return;
    }
    this.named[number] = frame;
    this.there.send(() => this.pages.named(number, this.world.digests[page]));
  }

  private keep(frame: number, page: Uint8Array): void {
    this.slots.set(frame, page);
    this.receive(frame, page);
  }

  private answer(number: number): void {
    const frame = this.named[number];
    this.contents++;
    this.there.send(() => {
      const page = pageOf(this.frames[frame]);
      this.slots.set(frame, page);
      this.pages.answered(number, hashed(page));
    });
  }

  private share(digest: Uint8Array, handle: number): boolean {
    if (this.world.random.int(this.world.goneWants) === 0) return false;
    this.early.push({ digest, handle });
    this.shareEarly();
    return true;
  }

  /** What has not been sent cannot be shared yet. */
  private shareEarly(): void {
    const ready = this.early.filter(({ handle }) => handle < this.sent);
    this.early = this.early.filter(({ handle }) => handle >= this.sent);
    if (ready.length === 0) return;
    this.there.send(() => {
      const there = ready.filter(({ handle }) => this.slots.has(handle));
      for (let first = 0; first < there.length; first += GROUP_PAGES) {
        const part = there.slice(first, first + GROUP_PAGES);
        const pages = part.map(({ handle }) => this.slots.get(handle) as Uint8Array);
        this.pages.put([groupOf(Buffer.concat(part.map(({ digest }) => digest)), pages)]);
      }
    });
  }

  private receive(frame: number, page: Uint8Array): void {
    if (this.received.has(frame)) this.faults.push(`frame ${frame} came twice`);
    const number = numberOf(page);
    if (number !== this.frames[frame]) this.faults.push(`frame ${frame} has page ${number}`);
    this.received.set(frame, number);
    if (this.received.size === this.frames.length) this.finish();
  }

  private readonly isRight = (digest: Uint8Array, page: Uint8Array): boolean => {
    return Buffer.compare(this.world.digests[numberOf(page)] ?? NO_DIGEST, digest) === 0;
  };
}
