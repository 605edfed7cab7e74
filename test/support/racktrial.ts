// Moves the gangs of racks that may fail, and expects that every guest arrives with its memory and
// nothing is left over: no page is held, no name unresolved, no memory taken, nothing told twice.
import { expect } from "vitest";
import { feed, until } from "./gang.ts";
import { differences, openRacks, type RackHost, type RackSetup, rackOf } from "./rackgangs.ts";
import { seededRandom } from "./random.ts";

export async function sendGuests(host: RackHost, streams: readonly Uint8Array[], seed: number) {
  const random = seededRandom(seed);
  await Promise.all(
    streams.map(async (bytes, number) => {
      await feed(await host.gang.begin(number), bytes, random, 100_000);
      await host.gang.outgoing[number].over;
    }),
  );
}

export function expectArrived({ gang, sinks }: RackHost, streams: readonly Uint8Array[]): void {
  for (const [number, sent] of streams.entries()) {
    expect(gang.outgoing[number].outcomes[0]).toMatchObject({ kind: "migrated" });
    const came = sinks.get(`vm${number}`)?.bytes ?? new Uint8Array(0);
    expect(differences(came, sent)).toEqual([]);
  }
}

/** Every name was resolved, and its page given back. */
export function nothingHeld(host: RackHost): Promise<void> {
  const { held, names } = rackOf(host) as unknown as {
    held: { places: Map<number, number> };
    names: { held: Map<number, unknown> };
  };
  return until(() => held.places.size === 0 && names.held.size === 0);
}

/** Sends all at once; returns what was told, and counts. */
export async function migrateRacks(
  setup: RackSetup,
  seed: number,
  began: (racks: readonly RackHost[]) => void = () => undefined,
) {
  const { engines = [], hosts } = setup;
  const freeBytes = (): number[] =>
    engines.flatMap((pair) => pair.map(({ arena }) => arena.largestFreeBytes));
  const free = freeBytes();
  const racks = await openRacks(setup);
  began(racks);
  await Promise.all(racks.map((host, i) => sendGuests(host, hosts[i], seed + i)));
  for (const [i, host] of racks.entries()) expectArrived(host, hosts[i]);
  for (const host of racks) await nothingHeld(host);
  const counts = racks.map((host) => rackOf(host).names.counts);
  await Promise.all(racks.map(({ gang }) => gang.source.close()));
  for (const { gang } of racks) expect(await gang.serving).toBe(undefined);
  expect(freeBytes()).toEqual(free);
  for (const { notices } of racks) expect(new Set(notices).size).toBe(notices.length);
  return {
    notices: racks.map(({ notices }) => notices),
    named: counts.reduce((sum, one) => sum + one.named, 0),
    answered: counts.reduce((sum, one) => sum + one.answered, 0),
  };
}
