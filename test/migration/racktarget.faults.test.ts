// Gangs of a rack with hosts that die and guests that stall, and everything that may go wrong at
// once: what can arrive does, with its memory.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PagefoldError } from "../../src/core/errors.ts";
import type { EngineResources } from "../../src/pipeline/resources.ts";
import { loopbackPair } from "../../src/transport/loopback.ts";
import { RateLimit } from "../../src/transport/rate.ts";
import { shaped } from "../../src/transport/shaped.ts";
import { closeEngines, keptEngines } from "../support/engine.ts";
import { FaultyIndex, FaultyPages, hastyClock, never } from "../support/faultyracks.ts";
import { feed, until } from "../support/gang.ts";
import { type GuestShape, guestStream, sharedPages } from "../support/gangstreams.ts";
import { openRacks } from "../support/rackgangs.ts";
import { expectArrived, migrateRacks, nothingHeld, sendGuests } from "../support/racktrial.ts";
import { randomSeed, type SeededRandom, seededRandom } from "../support/random.ts";

const CLOCK = hastyClock(5);
const WORLDS = 6;

let engines: (readonly [EngineResources, EngineResources])[];
beforeAll(async () => {
  const [a, b] = await keptEngines(2, { threads: 1 });
  const [c, d] = await keptEngines(2, { threads: 2 });
  engines = [
    [a, b],
    [c, d],
  ];
});
afterAll(closeEngines);

const seed = randomSeed("racks in trouble");

function setupOf(random: SeededRandom, guests: number, shape: GuestShape) {
  const shared = sharedPages(random, shape.pages);
  const hosts = [0, 1].map(() =>
    Array.from({ length: guests }, (_, i) => {
      return guestStream(random, shared, { hasXbzrle: i % 2 === 0, ...shape }).bytes;
    }),
  );
  const [index, store] = [new FaultyIndex(CLOCK), new FaultyPages(CLOCK)];
  return { index, store, hosts, engines, clock: CLOCK };
}

describe("hosts of a rack", () => {
  it("go on when one dies that has claimed pages", async () => {
    const random = seededRandom(seed);
    const setup = setupOf(random, 2, { pages: 400 });
    const [dying, living] = await openRacks(setup);
    const [stream] = setup.hosts[0];
    await feed(await dying.gang.begin(0), stream.subarray(0, stream.length >> 1), random);
    await until(() => dying.gang.source.numbers.wireBytes > 100_000);
    const sent = sendGuests(living, setup.hosts[1], seed);
    (dying.gang.source as unknown as { link: { destroy(e: Error): void } }).link.destroy(
      new PagefoldError("CONNECTION", "the host is dead"),
    );
    await sent;
    expectArrived(living, setup.hosts[1]);
    await nothingHeld(living);
    expect((await dying.gang.outgoing[0].over).kind).toBe("failed");
    expect(await dying.gang.serving).toBeInstanceOf(PagefoldError);
  });

  it("do not wait for a guest whose hypervisor stalls", async () => {
    const setup = setupOf(seededRandom(seed + 1), 2, { pages: 400 });
    let goOn: () => void = () => undefined;
    const stall = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    await migrateRacks(setup, seed, ([one, other]) => {
      void until(() => one.sinks.has("vm0")).then(() => {
        const sink = one.sinks.get("vm0");
        if (sink) sink.stall = stall;
      });
      const others = [one.gang.outgoing[1], ...other.gang.outgoing];
      void Promise.all(others.map(({ over }) => over)).then(goOn);
    });
  });

  it("never name pages of a guest that may go over to post-copy", async () => {
    const random = seededRandom(seed + 3);
    const shared = sharedPages(random, 300);
    const hosts = [0, 1].map(() =>
      [false, true].map(
        (isPostcopy) => guestStream(random, shared, { pages: 300, isPostcopy }).bytes,
      ),
    );
    const setup = { ...setupOf(random, 1, { pages: 1 }), hosts };
    const racks = await openRacks(setup);
    await Promise.all(racks.map((host, i) => sendGuests(host, hosts[i], seed)));
    for (const [i, { gang, sinks }] of racks.entries()) {
      expect(gang.outgoing[1].outcomes[0]).toMatchObject({ kind: "migrated" });
      await gang.source.close();
      expect(await gang.serving).toBe(undefined);
      // Behind the answer of its hypervisor more may come.
      const came = sinks.get("vm1")?.bytes ?? hosts[i][0];
      expect(Buffer.compare(came, hosts[i][1])).toBe(0);
      expectArrived(racks[i], [hosts[i][0]]);
    }
  });

  it("share within a rate", async () => {
    const setup = setupOf(seededRandom(seed + 2), 2, { pages: 300 });
    await migrateRacks({ ...setup, rate: new RateLimit(8 << 20) }, seed);
  });
});

describe("racks in trouble", () => {
  it.each(Array.from({ length: WORLDS }, (_, i) => seed + 10 + i))(
    "arrive (seed %i)",
    async (at) => {
      const random = seededRandom(at);
      const pages = 60 + random.int(500);
      const shape = { pages, dirtied: random.int(pages), rounds: 1 + random.int(4) };
      const setup = setupOf(random, 1 + random.int(4), shape);
      const { index, store } = setup;
      // Of a thousand calls.
      const [failing, slow, lost] = [random.int(300), random.int(300), random.int(100)];
      const trouble = async (): Promise<void> => {
        const chance = random.int(1000);
        if (chance < failing) throw new PagefoldError("CONNECTION", "it is gone");
        if (chance < failing + slow)
          await CLOCK.sleep(random.int(1500), new AbortController().signal);
        else if (chance < failing + slow + lost) await never();
      };
      if (random.int(3) > 0) index.before = trouble;
      if (random.int(3) > 0) {
        store.before = async (call) => {
          if (random.int(100) === 0) store.flush();
          if (call === "put" && random.int(20) === 0)
            throw new PagefoldError("LIMIT", "it is full");
          await trouble();
        };
      }
      const lies = random.int(2) * random.int(30);
      store.change = (sealed) => {
        const chance = random.int(100);
        if (chance < lies) return sealed.map((byte) => byte ^ 1);
        return chance < 2 * lies ? sealed.subarray(0, random.int(sealed.length)) : sealed;
      };
      const connections = engines.map(() => {
        const [left, right] = loopbackPair();
        const delayMs = random.int(25);
        return [shaped(left, { delayMs }), shaped(right, { delayMs })] as const;
      });
      const { named, answered, notices } = await migrateRacks({ ...setup, connections }, at);
      expect(named).toBeGreaterThanOrEqual(answered);
      // A service has few causes.
      for (const told of notices) expect(told.length).toBeLessThanOrEqual(6);
    },
  );
});
