// Gangs of a rack whose index and store fail in all the ways they can: every guest arrives with its
// memory, nothing is left over, and each cause is told at most once.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { PagefoldError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/migration/adaptiverate.ts";
import type { EngineResources } from "../../src/pipeline/resources.ts";
import type { Connection } from "../../src/transport/connection.ts";
import { loopbackPair } from "../../src/transport/loopback.ts";
import { shaped } from "../../src/transport/shaped.ts";
import { closeEngines, keptEngines } from "../support/engine.ts";
import { FaultyIndex, FaultyPages, hastyClock, LyingIndex, never } from "../support/faultyracks.ts";
import { feed, until } from "../support/gang.ts";
import { guestStream, sharedPages } from "../support/gangstreams.ts";
import { differences, openRacks, type RackHost, rackOf } from "../support/rackgangs.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const PAGES = 400;
const CLOCK: Clock = hastyClock(5);
const gone = () => {
  throw new PagefoldError("CONNECTION", "it is gone");
};

let engines: (readonly [EngineResources, EngineResources])[];
let index: FaultyIndex;
let store: FaultyPages;

beforeAll(async () => {
  const [a, b, c, d] = await keptEngines(4, { threads: 1 });
  engines = [
    [a, b],
    [c, d],
  ];
});
afterAll(closeEngines);
beforeEach(() => {
  index = new FaultyIndex(CLOCK);
  store = new FaultyPages(CLOCK);
});

const seed = randomSeed("faults of racks");

/** Two hosts of two guests each, alike; of each two one has XBZRLE records. */
function streamsOf(hosts = 2, guests = 2) {
  const random = seededRandom(seed);
  const shared = sharedPages(random, PAGES);
  return Array.from({ length: hosts }, () =>
    Array.from({ length: guests }, (_, i) => {
      const shape = { pages: PAGES, dirtied: PAGES >> 2, hasXbzrle: i % 2 === 0 };
      return guestStream(random, shared, shape).bytes;
    }),
  );
}

const STREAMS = streamsOf();

async function begin(streams = STREAMS, more: Partial<Parameters<typeof openRacks>[0]> = {}) {
  const free = engines.map((pair) => pair.map(({ arena }) => arena.largestFreeBytes));
  const racks = await openRacks({ index, store, hosts: streams, engines, clock: CLOCK, ...more });
  return { racks, free };
}

async function send({ gang }: RackHost, streams: readonly Uint8Array[]): Promise<void> {
  const random = seededRandom(seed + 1);
  await Promise.all(
    streams.map(async (bytes, number) => {
      await feed(await gang.begin(number), bytes, random, 100_000);
      await gang.outgoing[number].over;
    }),
  );
}

function expectArrived({ gang, sinks }: RackHost, streams: readonly Uint8Array[]): void {
  for (const [number, sent] of streams.entries()) {
    expect(gang.outgoing[number].outcomes[0]).toMatchObject({ kind: "migrated" });
    const came = sinks.get(`vm${number}`)?.bytes ?? new Uint8Array(0);
    expect(differences(came, sent)).toEqual([]);
  }
}

/** Sends all at once; all arrive, and nothing is left. Returns what was told, and counts. */
async function sendAll(streams = STREAMS, more: Partial<Parameters<typeof openRacks>[0]> = {}) {
  const { racks, free } = await begin(streams, more);
  await Promise.all(racks.map((host, i) => send(host, streams[i])));
  for (const [i, host] of racks.entries()) expectArrived(host, streams[i]);
  for (const host of racks) await nothingHeld(host);
  const counts = racks.map((host) => rackOf(host).names.counts);
  await Promise.all(racks.map(({ gang }) => gang.source.close()));
  for (const { gang } of racks) expect(await gang.serving).toBe(undefined);
  const freed = engines.map((pair) => pair.map(({ arena }) => arena.largestFreeBytes));
  expect(freed).toEqual(free);
  for (const { notices } of racks) expect(new Set(notices).size).toBe(notices.length);
  const sum = (of: (one: (typeof counts)[number]) => number): number =>
    counts.reduce((total, one) => total + of(one), 0);
  return {
    notices: racks.map(({ notices }) => notices),
    named: sum(({ named }) => named),
    answered: sum(({ answered }) => answered),
  };
}

/** Every name was resolved, and its page given back. */
function nothingHeld(host: RackHost): Promise<void> {
  const { held, names } = rackOf(host) as unknown as {
    held: { places: Map<number, number> };
    names: { held: Map<number, unknown> };
  };
  return until(() => held.places.size === 0 && names.held.size === 0);
}

describe("a rack's index", () => {
  it("that fails at once is done without", async () => {
    index.before = gone;
    const { named, notices } = await sendAll();
    expect(named).toBe(0);
    for (const told of notices) expect(told).toHaveLength(1);
  });

  it("that fails in the middle is done without", async () => {
    let left = 6;
    index.before = (call) => {
      if (call === "claim" && left > 0) left--;
      else if (left === 0) gone();
    };
    const { notices } = await sendAll();
    for (const told of notices) expect(told.length).toBeLessThanOrEqual(1);
  });

  it("that answers after a second is done without", async () => {
    index.before = () => CLOCK.sleep(1000, new AbortController().signal);
    const { notices } = await sendAll();
    for (const told of notices) expect(told.length).toBeLessThanOrEqual(1);
  });

  it("that never answers is done without", async () => {
    index.before = never;
    const { named, notices } = await sendAll();
    expect(named).toBe(0);
    for (const told of notices) expect(told.length).toBeLessThanOrEqual(1);
  });

  it("that says of everything that it is stored costs time alone", async () => {
    index = new LyingIndex(CLOCK);
    const { named, answered } = await sendAll();
    expect(named).toBeGreaterThan(PAGES);
    expect(answered).toBeGreaterThan(0);
  });
});

describe("a rack's store", () => {
  it("that fails is done without", async () => {
    store.before = gone;
    const { notices } = await sendAll();
    expect(notices.flat().length).toBeGreaterThan(0);
  });

  it("that never answers is done without", async () => {
    store.before = never;
    await sendAll();
  });

  it("that is slow is waited for or done without", async () => {
    store.before = () => CLOCK.sleep(300, new AbortController().signal);
    await sendAll();
  });

  it("that is full keeps what it has", async () => {
    store = new FaultyPages(CLOCK, 200_000);
    await sendAll();
  });

  it("that is flushed in the middle is asked again", async () => {
    let left = 10;
    store.before = (call) => {
      if (call === "get" && --left === 0) store.flush();
    };
    await sendAll();
  });

  it("that has garbage in it is not believed", async () => {
    store.change = (sealed) => sealed.map((byte, i) => (i > 30 ? byte ^ 0x55 : byte));
    const { answered } = await sendAll();
    expect(answered).toBeGreaterThan(0);
  });

  it("whose pages another key has sealed is not believed", async () => {
    const sealSecrets = [undefined, new Uint8Array(32).fill(9)];
    const { answered } = await sendAll(STREAMS, { sealSecrets });
    expect(answered).toBeGreaterThan(0);
  });
});

describe("a gang whose names are not found", () => {
  it("does not wait for slabs that wait for its answers", async () => {
    index = new LyingIndex(CLOCK);
    const random = seededRandom(seed + 2);
    const shared = sharedPages(random, 1500);
    const guests = Array.from({ length: 4 }, () => {
      const shape = { pages: 1500, dirtied: 1200, rounds: 3, hasXbzrle: true };
      return guestStream(random, shared, shape).bytes;
    });
    const connections = loopbackPair().map((end) => shaped(end, { delayMs: 30 }));
    const gang = { connections: connections as [Connection, Connection] };
    const { answered } = await sendAll([guests], { gang });
    expect(answered).toBeGreaterThan(0);
  });
});
