// A gang in one process: what goes in at the source comes out at the target, byte for byte, in
// whatever way the guests come, the link behaves and the memory is short.
import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { levelParameters } from "../../src/archive/levels.ts";
import { loopbackPair } from "../../src/transport/loopback.ts";
import { RateLimit } from "../../src/transport/rate.ts";
import { shaped } from "../../src/transport/shaped.ts";
import { SessionType } from "../../src/wire/sessionframe.ts";
import { feed, type Gang, type GangSetup, openGang, openResources, SHUT } from "../support/gang.ts";
import { eventAt, guestStream, sharedPages } from "../support/gangstreams.ts";
import { randomSeed, type SeededRandom, seededRandom } from "../support/random.ts";

function streamsOf(random: SeededRandom, count: number, pages: number): Uint8Array[] {
  const shared = sharedPages(random, pages >> 1);
  return Array.from({ length: count }, () => guestStream(random, shared, { pages }).bytes);
}

/** What a test may look at although nobody else can. */
interface Folding {
  fold: { parts: { pipeline: { firstKept: number } } };
}

/** Feeds all guests at once and closes the session when they are done. */
async function migrateAll(setup: GangSetup, random: SeededRandom): Promise<Gang> {
  const gang = await openGang(setup);
  await Promise.all(
    setup.streams.map(async (bytes, i) => {
      await feed(await gang.begin(i), bytes, random);
      await gang.outgoing[i].over;
    }),
  );
  await gang.source.close();
  expect(await gang.serving).toBeUndefined();
  return gang;
}

function expectMigrated(gang: Gang, streams: readonly Uint8Array[]): void {
  streams.forEach((bytes, i) => {
    const incoming = gang.incoming.get(`vm${i}`);
    expect(incoming && Buffer.compare(incoming.bytes, bytes), `vm${i}`).toBe(0);
    expect(incoming?.hasEnded).toBe(true);
    expect(incoming?.abortReason).toBeUndefined();
    const { outcomes, returnedBytes } = gang.outgoing[i];
    expect(outcomes).toEqual([{ kind: "migrated", name: `vm${i}`, streamBytes: bytes.length }]);
    expect([...returnedBytes]).toEqual([...SHUT]);
  });
  const names = streams.map((_, i) => `vm${i}`);
  expect(gang.overs.map(({ name }) => name).sort()).toEqual(names);
  expect(gang.overs.every(({ reason }) => reason === undefined)).toBe(true);
}

describe("a gang", () => {
  it.each([
    [0, 0],
    [1, 1],
    [2, 2],
    [0, 2],
  ])("moves with %d and %d threads", async (a, b) => {
    const random = seededRandom(randomSeed("gang"));
    const streams = streamsOf(random, 3, 900);
    const sourceEngine = await openResources(a);
    const targetEngine = await openResources(b);
    const free = [sourceEngine, targetEngine].map(({ arena }) => arena.largestFreeBytes);
    const gang = await migrateAll({ streams, sourceEngine, targetEngine }, random);
    expectMigrated(gang, streams);
    const { streamBytes, wireBytes, counts } = gang.source.numbers;
    expect(streamBytes).toBe(streams.reduce((sum, { length }) => sum + length, 0));
    expect(wireBytes).toBeLessThan(streamBytes / 2);
    expect(counts.duplicateAcross).toBeGreaterThan(300);
    expect(counts.similar).toBeGreaterThan(50);
    expect([sourceEngine, targetEngine].map(({ arena }) => arena.largestFreeBytes)).toEqual(free);
  });

  it.each([
    ["slow", { bytesPerSecond: 8_000_000 }],
    ["distant", { delayMs: 30 }],
    ["stalling", { stallAfterBytes: 700_000, stallMs: 300 }],
  ])("moves over a %s link", async (_, shape) => {
    const random = seededRandom(randomSeed("gang"));
    const streams = streamsOf(random, 3, 600);
    const [left, right] = loopbackPair();
    const connections = [shaped(left, shape), shaped(right, shape)] as const;
    expectMigrated(await migrateAll({ streams, connections }, random), streams);
  });

  it("keeps to its rate, and to the order of what waits for it", async () => {
    const random = seededRandom(randomSeed("gang"));
    const streams = streamsOf(random, 3, 500);
    const rate = new RateLimit(4_000_000);
    const before = performance.now();
    const gang = await migrateAll({ streams, source: { rate } }, random);
    expectMigrated(gang, streams);
    const seconds = (performance.now() - before) / 1000;
    expect(gang.source.numbers.wireBytes / seconds).toBeLessThan(4_600_000);
  });

  it("moves guests that go over to post-copy", async () => {
    const random = seededRandom(randomSeed("gang"));
    const shared = sharedPages(random, 200);
    const made = [true, false, true].map((isPostcopy) =>
      guestStream(random, shared, { pages: 400, isPostcopy }),
    );
    const streams = made.map(({ bytes }) => bytes);
    expectMigrated(await migrateAll({ streams }, random), streams);
  });

  it("moves with a level that follows the link", async () => {
    const random = seededRandom(randomSeed("gang"));
    const streams = streamsOf(random, 2, 900);
    const levels = [levelParameters("store"), levelParameters("fast"), levelParameters("balanced")];
    const setup = { streams, source: { levels, firstLevel: 1 } };
    expectMigrated(await migrateAll(setup, random), streams);
  });

  it.each([
    ["drops the oldest", 160 << 20],
    ["can keep next to nothing", 112 << 20],
  ])("moves when the target %s", async (_, memoryBytes) => {
    const random = seededRandom(randomSeed("gang"));
    const shared = sharedPages(random, 16_000);
    const shape = { pages: 14_000, dirtied: 6000, rounds: 4 };
    const streams = [0, 1].map(() => guestStream(random, shared, shape).bytes);
    const targetEngine = await openResources(1, memoryBytes);
    const gang = await migrateAll({ streams, targetEngine }, random);
    expectMigrated(gang, streams);
    const { firstKept } = (gang.source as unknown as Folding).fold.parts.pipeline;
    expect(firstKept).toBeGreaterThan(500);
  });

  it("sends the same bytes, whoever is faster", async () => {
    const seed = randomSeed("gang");
    const made = streamsOf(seededRandom(seed), 3, 2500);
    const sums = [];
    for (const threads of [1, 2, 1, 2, 0]) sums.push(await wireSum(made, threads, seed));
    expect(new Set(sums).size).toBe(1);
  });
});

/** A hash of what a gang says that is fed in the same order and pieces each time. */
async function wireSum(streams: readonly Uint8Array[], threads: number, seed: number) {
  const random = seededRandom(seed);
  const [left, right] = loopbackPair();
  const hash = createHash("sha256");
  const write = left.write.bind(left);
  left.write = (parts) => {
    // All others come when they come, and are counted.
    if (parts[0][4] === SessionType.BATCH) {
      hash.update(parts[0].subarray(4, 8)).update(parts[0].subarray(12, 24));
      hash.update(parts[0].subarray(32));
      if (parts[1]) hash.update(parts[1]);
    }
    return write(parts);
  };
  const sourceEngine = await openResources(threads);
  const connections = [left, right] as const;
  const gang = await openGang({ streams, sourceEngine, connections });
  const guests = await Promise.all(streams.map((_, i) => gang.begin(i)));
  const ats = streams.map(() => 0);
  while (ats.some((at, i) => at < streams[i].length)) {
    const i = random.int(streams.length);
    const piece = streams[i].slice(ats[i], ats[i] + 1 + random.int(300_000));
    ats[i] += piece.length;
    await guests[i].write(piece);
    // Before the clock does it.
    (guests[i] as unknown as { intake: { flush(): void } }).intake.flush();
  }
  await Promise.all(gang.outgoing.map(({ over }) => over));
  await gang.source.close();
  expectMigrated(gang, streams);
  return hash.digest("hex");
}

describe("what is withheld", () => {
  it("stays with the target until the source has committed", async () => {
    const random = seededRandom(randomSeed("gang"));
    const shared = sharedPages(random, 100);
    for (const isPostcopy of [false, true]) {
      const made = guestStream(random, shared, { pages: 300, isPostcopy });
      const gang = await openGang({ streams: [made.bytes] });
      const [outgoing] = gang.outgoing;
      let committing: () => void = () => undefined;
      const asked = new Promise<void>((resolve) => {
        outgoing.onCommit = () => {
          resolve();
          return new Promise((go) => {
            committing = go;
          });
        };
      });
      const fed = feed(await gang.begin(0), made.bytes, random);
      await asked;
      await new Promise((resolve) => setTimeout(resolve, 100));
      const limit = eventAt(made, isPostcopy ? "package" : "ramEnd");
      expect(gang.incoming.get("vm0")?.receivedBytes).toBe(limit);
      committing();
      await fed;
      expect((await outgoing.over).kind).toBe("migrated");
    }
  });
});
