// One source host and its target host in the simulator: the pages of the guests go through both
// ends of a rack (src/migration) as they are; links, processors and what is in pages is made up.

import { pagesOf } from "../../src/core/pagegroup.ts";
import { RackNames } from "../../src/migration/racknames.ts";
import { RackPages } from "../../src/migration/rackpages.ts";
import { GROUP_PAGES } from "../../src/pool/grouptask.ts";
import type { IndexMember } from "../../src/store/store.ts";
import type { VirtualClock } from "../../test/support/virtualclock.ts";
import { ASKED_BATCHES, BATCHES_UNDER_WAY, BYTES, CPU } from "./costs.ts";
import type { HostPages } from "./fleet.ts";
import { arrivalOf, type Link, type Server, send } from "./network.ts";
import type { SimStore } from "./services.ts";
import { Turns } from "./turns.ts";

const DIGEST_BYTES = 32;
/** What is in pages is nowhere: they are told apart by their digests. */
const NO_CONTENT = { bytes: new Uint8Array(0), words: new Uint32Array(2), hashAt: 0 };

/** Where a host is, and what it runs on. */
export interface Place {
  readonly clock: VirtualClock;
  readonly scale: number;
  readonly there: readonly Link[];
  readonly back: readonly Link[];
  readonly sourceCpu: Server;
  readonly targetCpu: Server;
  /** Names that a source may hold, in real pages. */
  readonly heldPages: number;
  /** Content of a real page on the wire. */
  wireBytes(page: number): number;
  /** Content of a page has been sent over the core. */
  contentSent(page: number): void;
}

/** What a host shares with the others of its rack. */
export interface Shares {
  readonly member: IndexMember;
  readonly store: ReturnType<SimStore["at"]>;
}

export class Mover {
  peakHeld = 0;
  names: RackNames | undefined;
  pages: RackPages | undefined;
  private readonly place: Place;
  private readonly host: HostPages;
  private readonly total: number;
  private readonly underWay: Turns;
  private readonly asking = new Turns(ASKED_BATCHES);
  /** By handle: the pages of this host in their order. */
  private readonly order: Uint32Array;
  private readonly has: Uint8Array;
  private readonly named: number[] = [];
  private held = 0;
  private arrived = 0;
  private twice = 0;
  private emitted = 0;
  private waiting: { readonly digest: Uint8Array; readonly handle: number }[] = [];
  private saidAt = 0;
  private finish: () => void = () => {};
  private readonly ended = new Promise<void>((resolve) => {
    this.finish = resolve;
  });

  constructor(place: Place, host: HostPages, shares?: Shares) {
    this.place = place;
    this.host = host;
    this.order = Uint32Array.from(host.batches.flatMap((batch) => [...batch]));
    this.total = this.order.length;
    this.has = new Uint8Array(this.total);
    this.underWay = new Turns(BATCHES_UNDER_WAY);
    if (shares) this.share(shares);
  }

  /** Pages that did not come, or came twice. */
  get faults(): number {
    return this.total - this.arrived + this.twice;
  }

  /** Resolves when the target has everything. */
  async run(): Promise<void> {
    const { batches } = this.host;
    let first = 0;
    let before: Promise<void> = Promise.resolve();
    for (const batch of batches) {
      await this.underWay.take();
      const { answer } = await this.ask(first, batch.length);
      const from = first;
      before = Promise.all([answer, before]).then(([isNamed]) => {
        this.asking.give();
        return this.emit(from, batch.length, isNamed);
      });
      first += batch.length;
    }
    await before;
    await this.emitAgain();
    await this.ended;
  }

  async close(): Promise<void> {
    await Promise.all([this.names?.close(), this.pages?.close()]);
  }

  private share({ member, store }: Shares): void {
    const { clock, heldPages, scale } = this.place;
    const notice = () => {};
    this.names = new RackNames({
      member,
      clock,
      heldPages: Math.ceil(heldPages / scale),
      session: {
        store: (digest, handle) => this.tellToStore(digest, handle),
        answer: (numbers) => void this.answer(numbers),
        notice,
      },
    });
    this.pages = new RackPages({
      store,
      clock,
      session: {
        unpack: async (groups, visit) => {
          const count = groups.reduce((sum, group) => sum + pagesOf(group), 0);
          await this.work("targetCpu", count * CPU.unpack);
          for (const group of groups) {
            for (let i = 0; i < pagesOf(group); i++) visit(group.digests, i, NO_CONTENT);
          }
        },
        arrived: (number) => this.receive(this.named[number]),
        missing: (numbers) => this.say(numbers.length, () => this.names?.missing(numbers)),
        resolved: (numbers) => {
          this.say(numbers.length, () => {
            this.held -= numbers.length;
            this.names?.resolved(numbers);
          });
        },
        stored: (digests) => {
          const count = digests.length / DIGEST_BYTES;
          this.say(count * (DIGEST_BYTES / BYTES.number), () => this.names?.stored(digests));
        },
        notice,
      },
    });
  }

  /** Looks at pages, and asks the index about them; resolves when the next batch may do so. */
  private async ask(first: number, count: number): Promise<{ answer: Promise<Uint8Array> }> {
    await this.asking.take();
    const { scale } = this.place;
    // Those that the host has sent before are looked at as well.
    const lookedAt = (count * this.host.nonZero) / (this.total * scale);
    const rackUs = this.names ? count * (CPU.digest + CPU.claim) + CPU.call / scale : 0;
    await this.work("sourceCpu", lookedAt * CPU.sourcePage + rackUs);
    if (!this.names) return { answer: Promise.resolve(new Uint8Array(count)) };
    const digests = new Uint8Array(count * DIGEST_BYTES);
    const handles = new Uint32Array(count);
    for (let i = 0; i < count; i++) {
      handles[i] = first + i;
      digests.set(digestOf(this.order[first + i]), i * DIGEST_BYTES);
    }
    return { answer: this.names.claim(digests, handles) };
  }

  private async emit(first: number, count: number, isNamed: Uint8Array): Promise<void> {
    const { scale, clock, there } = this.place;
    const contents: number[] = [];
    const names: number[] = [];
    let bytes = 0;
    for (let handle = first; handle < first + count; handle++) {
      const page = this.order[handle];
      const mayName = isNamed[handle - first] === 1;
      const number = mayName ? this.names?.hold(digestOf(page), handle) : undefined;
      if (number === undefined) {
        contents.push(handle);
        bytes += this.content(page);
        continue;
      }
      this.named[number] = handle;
      names.push(number);
      bytes += BYTES.name * scale;
      this.held++;
      this.peakHeld = Math.max(this.peakHeld, this.held);
    }
    const { zeros, duplicates } = this.host;
    bytes += (count / this.total) * (zeros * BYTES.zero + duplicates * BYTES.duplicate);
    bytes += (BYTES.batch * count * scale) / 256;
    const us = contents.length * CPU.sourceContent + names.length * CPU.sourceName;
    await this.work("sourceCpu", us);
    this.emitted = first + count;
    send(clock, there, bytes, () => void this.unfold(contents, names));
    this.tellEarly();
  }

  /** The target puts a batch together. */
  private async unfold(contents: readonly number[], names: readonly number[]): Promise<void> {
    const pages = contents.length + names.length;
    const us = contents.length * CPU.targetContent + names.length * CPU.targetName;
    await this.work("targetCpu", pages * CPU.targetPage + us);
    this.underWay.give();
    for (const handle of contents) this.receive(handle);
    for (const number of names) this.pages?.named(number, digestOf(this.order[this.named[number]]));
  }

  /** What the guests have written meanwhile; then all names are waited for. */
  private async emitAgain(): Promise<void> {
    const { clock, there, wireBytes } = this.place;
    const bytes = this.host.again * wireBytes(Number.MAX_SAFE_INTEGER);
    await this.underWay.take();
    await new Promise<void>((resolve) => send(clock, there, bytes, resolve));
    this.underWay.give();
    this.pages?.urge([...this.named.keys()]);
    this.check();
  }

  private tellToStore(digest: Uint8Array, handle: number): boolean {
    this.waiting.push({ digest: digest.slice(), handle });
    this.tellEarly();
    return true;
  }

  /** What has not been emitted cannot be stored yet. */
  private tellEarly(): void {
    const { clock, there, scale } = this.place;
    const ready = this.waiting.filter(({ handle }) => handle < this.emitted);
    if (ready.length === 0) return;
    this.waiting = this.waiting.filter(({ handle }) => handle >= this.emitted);
    send(clock, there, ready.length * scale * BYTES.share, () => void this.put(ready));
  }

  private async put(ready: readonly { digest: Uint8Array; handle: number }[]): Promise<void> {
    await this.work("targetCpu", ready.length * (CPU.targetContent / 2 + CPU.pack));
    for (let first = 0; first < ready.length; first += GROUP_PAGES) {
      const digests = Buffer.concat(
        ready.slice(first, first + GROUP_PAGES).map(({ digest }) => digest),
      );
      this.pages?.put([{ digests, cluster: digests }]);
    }
  }

  private async answer(numbers: readonly number[]): Promise<void> {
    const { clock, there } = this.place;
    await this.work("sourceCpu", numbers.length * CPU.sourceContent);
    let bytes = 0;
    for (const number of numbers) bytes += this.content(this.order[this.named[number]]);
    send(clock, there, bytes, () => {
      for (const number of numbers) this.pages?.answered(number, NO_CONTENT);
    });
  }

  private content(page: number): number {
    this.place.contentSent(page);
    return this.place.wireBytes(page) * this.place.scale;
  }

  /** From the target to the source, in order. */
  private say(numbers: number, arrive: () => void): void {
    const { clock, back, scale } = this.place;
    const bytes = 40 + numbers * scale * BYTES.number;
    this.saidAt = Math.max(arrivalOf(clock, back, bytes), this.saidAt);
    clock.at(this.saidAt, arrive);
  }

  private receive(handle: number): void {
    if (this.has[handle] === 1) this.twice++;
    else this.arrived++;
    this.has[handle] = 1;
    this.check();
  }

  private check(): void {
    if (this.arrived === this.total) this.finish();
  }

  /** `us` of a page of the simulation. */
  private work(cpu: "sourceCpu" | "targetCpu", us: number): Promise<void> {
    return this.place[cpu].work((us * this.place.scale) / 1000);
  }
}

/** Looks random to the index. */
function digestOf(page: number): Uint8Array {
  const words = new Uint32Array(DIGEST_BYTES / 4);
  let hash = page + 1;
  for (let i = 0; i < words.length; i++) {
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) + 0x9e3779b9;
    words[i] = hash;
  }
  words[7] = page;
  return new Uint8Array(words.buffer);
}
