// Gangs of several hosts whose targets are one rack: what one sends by content the others send by
// name, and every guest's memory is in the end what it was.
import { describe, expect, it } from "vitest";
import { MemoryIndex } from "../../src/store/memoryindex.ts";
import { MemoryPages } from "../../src/store/memorypages.ts";
import { hastyClock } from "../support/faultyracks.ts";
import { feed } from "../support/gang.ts";
import { guestStream, sharedPages } from "../support/gangstreams.ts";
import { differences, openRacks, type RackHost, rackOf } from "../support/rackgangs.ts";
import { randomSeed, type SeededRandom, seededRandom } from "../support/random.ts";

/** However busy the machine is, nothing comes too late. */
const PATIENT = hastyClock(0.25);

function streamsOf(random: SeededRandom, hosts: number, guests: number, pages = 1500) {
  const shared = sharedPages(random, pages);
  return Array.from({ length: hosts }, () =>
    Array.from(
      { length: guests },
      (_, i) =>
        guestStream(random, shared, { pages, dirtied: pages >> 2, hasXbzrle: i % 2 === 1 }).bytes,
    ),
  );
}

/** Sends all guests of all hosts at once. */
async function migrateAll(
  racks: readonly RackHost[],
  streams: readonly (readonly Uint8Array[])[],
  random: SeededRandom,
): Promise<void> {
  await Promise.all(
    racks.flatMap(({ gang }, host) =>
      streams[host].map(async (bytes, number) => {
        const guest = await gang.begin(number);
        await feed(guest, bytes, random, 100_000);
        await gang.outgoing[number].over;
      }),
    ),
  );
}

function expectArrived(racks: readonly RackHost[], streams: readonly (readonly Uint8Array[])[]) {
  for (const [host, { gang, sinks }] of racks.entries()) {
    for (const [number, sent] of streams[host].entries()) {
      expect(gang.outgoing[number].outcomes[0]).toMatchObject({ kind: "migrated" });
      const sink = sinks.get(`vm${number}`);
      expect(differences(sink?.bytes ?? new Uint8Array(0), sent)).toEqual([]);
    }
  }
}

describe("gangs of a rack", () => {
  it("send what they share once", async () => {
    const random = seededRandom(randomSeed("racks"));
    const streams = streamsOf(random, 3, 2);
    const [index, store] = [new MemoryIndex(), new MemoryPages()];
    const racks = await openRacks({ index, store, hosts: streams, clock: PATIENT });
    await migrateAll(racks, streams, random);
    expectArrived(racks, streams);
    const counts = racks.map((host) => rackOf(host).names.counts);
    const named = counts.reduce((sum, one) => sum + one.named, 0);
    const answered = counts.reduce((sum, one) => sum + one.answered, 0);
    expect(named).toBeGreaterThan(1500);
    expect(answered).toBeLessThan(named / 10);
    expect(racks.flatMap(({ notices }) => notices)).toEqual([]);
    const wire = racks.reduce((sum, { gang }) => sum + gang.source.numbers.wireBytes, 0);
    const alone = await openRacks({ index: new MemoryIndex(), store, hosts: [streams[0]] });
    await migrateAll(alone, [streams[0]], random);
    expect(wire).toBeLessThan(3 * alone[0].gang.source.numbers.wireBytes * 0.9);
  });
});
