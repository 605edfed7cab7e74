// The index of a source rack and the store of a target rack as their hosts see them: the ones in
// memory (src/store), behind links and a server that takes its time.
import type { PageGroup } from "../../src/core/pagegroup.ts";
import { MemoryIndex } from "../../src/store/memoryindex.ts";
import { MemoryPages } from "../../src/store/memorypages.ts";
import { GROUP_NAME_BYTES, type IndexMember } from "../../src/store/store.ts";
import type { VirtualClock } from "../../test/support/virtualclock.ts";
import { BYTES, REDIS } from "./costs.ts";
import { arrivalOf, type Link, Server, send } from "./network.ts";

const DIGEST_BYTES = 32;
const PAGE_LIFE_MS = 1e9;
const NOTHING = new Uint8Array(0);

/** The way of a host to a service, and back. */
export interface Ways {
  readonly there: readonly Link[];
  readonly back: readonly Link[];
}

/** One call: goes there, is done in its turn, comes back. */
interface Call<T> {
  readonly bytes: number;
  readonly us: number;
  readonly run: () => Promise<T>;
  readonly answerBytes: (value: T) => number;
}

export class SimIndex {
  readonly server: Server;
  calls = 0;
  digests = 0;
  private readonly clock: VirtualClock;
  private readonly index: MemoryIndex;
  private readonly scale: number;

  /** `nodes`: of a cluster; digests are spread over them. `machine`: what else they run on. */
  constructor(clock: VirtualClock, scale: number, nodes: number, machine?: Server) {
    this.clock = clock;
    this.scale = scale;
    this.server = new Server(clock, nodes, machine);
    this.index = new MemoryIndex(clock);
  }

  async join(rack: string, host: string, ways: Ways): Promise<IndexMember> {
    const member = await this.index.join(rack, host);
    const call = <T>(
      pages: number,
      run: () => Promise<T>,
      answerPages: (value: T) => number = () => 0,
    ) => {
      const count = pages * this.scale;
      this.calls++;
      this.digests += count;
      return this.call(ways, {
        bytes: BYTES.call + count * BYTES.claim,
        us: REDIS.call + count * REDIS.digest,
        run,
        answerBytes: (value) => 20 + count + answerPages(value) * this.scale * BYTES.want,
      });
    };
    const none = () => 0;
    return {
      token: member.token,
      claim: (digests, handles) =>
        call(
          handles.length,
          () => member.claim(digests, handles),
          ({ wants }) => wants.handles.length,
        ),
      wants: () =>
        call(
          0,
          () => member.wants(),
          ({ handles }) => handles.length,
        ),
      stored: (digests) => call(countOf(digests), () => member.stored(digests), none),
      takeOver: (digests, handles) =>
        call(handles.length, () => member.takeOver(digests, handles), none),
      release: (digests) => call(countOf(digests), () => member.release(digests), none),
      leave: () => call(0, () => member.leave(), none),
    };
  }

  private call<T>({ there, back }: Ways, { bytes, us, run, answerBytes }: Call<T>): Promise<T> {
    const { clock, server } = this;
    return new Promise((resolve) => {
      clock.at(arrivalOf(clock, there, bytes), () => {
        const doneAt = server.doneAt(us / 1000);
        void run().then((value) => {
          const wayMs = arrivalOf(clock, back, answerBytes(value)) - clock.now();
          clock.at(doneAt + wayMs, () => resolve(value));
        });
      });
    });
  }
}

export class SimStore {
  readonly server: Server;
  puts = 0;
  hits = 0;
  misses = 0;
  private groups = 0;
  private readonly clock: VirtualClock;
  private readonly scale: number;
  private readonly pages: MemoryPages;

  constructor(clock: VirtualClock, scale: number, nodes: number, machine?: Server) {
    this.clock = clock;
    this.scale = scale;
    this.server = new Server(clock, nodes, machine);
    this.pages = new MemoryPages({ clock });
  }

  /** As the target of `ways` sees it. */
  at({ there, back }: Ways) {
    const { clock, scale, server, pages } = this;
    return {
      put: (groups: readonly PageGroup[]) =>
        new Promise<void>((resolve) => {
          const count = pagesIn(groups) * scale;
          this.puts += count;
          send(clock, there, BYTES.call + count * BYTES.storedPage, () => {
            const doneAt = server.doneAt((REDIS.call + count * REDIS.page) / 1000);
            const sealed = groups.map(({ digests, cluster }) => {
              return { name: this.nextName(), digests, sealed: cluster };
            });
            void pages.put(sealed, PAGE_LIFE_MS).then(() => {
              clock.at(doneAt + arrivalOf(clock, back, 100) - clock.now(), resolve);
            });
          });
        }),
      get: (digests: Uint8Array) =>
        new Promise<PageGroup[]>((resolve) => {
          const count = countOf(digests) * scale;
          const arrivesAt = arrivalOf(clock, there, BYTES.call + count * BYTES.lookup);
          clock.at(arrivesAt, () => {
            void this.groupsOf(digests).then(({ groups, misses }) => {
              const missed = misses * scale;
              this.hits += count - missed;
              this.misses += missed;
              const fetched = pagesIn(groups) * scale;
              const us = REDIS.call + fetched * REDIS.page + missed * REDIS.miss;
              clock.at(server.doneAt(us / 1000), () => {
                const bytes = 100 + fetched * BYTES.storedPage + missed * 5;
                send(clock, back, bytes, () => resolve(groups));
              });
            });
          });
        }),
    };
  }

  private async groupsOf(digests: Uint8Array): Promise<{ groups: PageGroup[]; misses: number }> {
    const found = await this.pages.find(digests);
    const names = [...new Set(found.filter((name) => name !== undefined))];
    const clusters = await this.pages.get(names);
    // Where nothing is in pages, their digests stand for them.
    const groups = clusters.map((cluster = NOTHING) => ({ digests: cluster, cluster }));
    return { groups, misses: found.filter((name) => name === undefined).length };
  }

  private nextName(): Uint8Array {
    const name = new Uint8Array(GROUP_NAME_BYTES);
    new DataView(name.buffer).setUint32(0, ++this.groups);
    return name;
  }
}

function pagesIn(groups: readonly PageGroup[]): number {
  return groups.reduce((sum, { digests }) => sum + countOf(digests), 0);
}

function countOf(digests: Uint8Array): number {
  return digests.length / DIGEST_BYTES;
}
