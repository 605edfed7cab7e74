// Gangs of a rack whose index and store fail in all the ways they can: every guest arrives with its
// memory, nothing is left over, and each cause is told at most once.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { PagefoldError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/migration/adaptiverate.ts";
import type { EngineResources } from "../../src/pipeline/resources.ts";
import { loopbackPair } from "../../src/transport/loopback.ts";
import { shaped } from "../../src/transport/shaped.ts";
import { closeEngines, keptEngines } from "../support/engine.ts";
import { FaultyIndex, FaultyPages, hastyClock, LyingIndex, never } from "../support/faultyracks.ts";
import { guestStream, sharedPages } from "../support/gangstreams.ts";
import type { RackSetup } from "../support/rackgangs.ts";
import { migrateRacks } from "../support/racktrial.ts";
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

const sendAll = (streams = STREAMS, more: Partial<RackSetup> = {}) =>
  migrateRacks({ index, store, hosts: streams, engines, clock: CLOCK, ...more }, seed);

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
    const [left, right] = loopbackPair();
    const ends = [shaped(left, { delayMs: 30 }), shaped(right, { delayMs: 30 })] as const;
    const { answered } = await sendAll([guests], { connections: [ends] });
    expect(answered).toBeGreaterThan(0);
  });
});
