// What becomes of the guests of a gang when something breaks: each ends in exactly one outcome, it
// never runs at both ends, and the others go on where they can.
import { describe, expect, it } from "vitest";
import { PagefoldError } from "../../src/core/errors.ts";
import type { EngineResources } from "../../src/pipeline/resources.ts";
import type { Connection } from "../../src/transport/connection.ts";
import { loopbackPair } from "../../src/transport/loopback.ts";
import { type LinkShape, shaped } from "../../src/transport/shaped.ts";
import {
  feed,
  type Gang,
  type GangSetup,
  lineOf,
  openGang,
  openResources,
  SHUT,
} from "../support/gang.ts";
import { eventAt, guestStream, sharedPages } from "../support/gangstreams.ts";
import type { MadeStream } from "../support/qemustream.ts";
import { randomSeed, type SeededRandom, seededRandom } from "../support/random.ts";

const TIMES = { heartbeatMs: 30, silenceMs: 400 };
const CUTS = 80;

function madeStreams(random: SeededRandom, count: number, pages: number): MadeStream[] {
  const shared = sharedPages(random, pages >> 1);
  return Array.from({ length: count }, (_, i) =>
    guestStream(random, shared, { pages, isPostcopy: i % 3 === 2 }),
  );
}

/** Bytes after which the target may run a guest. */
function runsAfter(made: readonly MadeStream[]): number[] {
  return made.map((stream) => {
    const isPostcopy = stream.events.some(({ event }) => event === "packageEnd");
    return eventAt(stream, isPostcopy ? "packageEnd" : "end");
  });
}

function shapedPair(left: LinkShape, right: LinkShape): [Connection, Connection] {
  const [a, b] = loopbackPair();
  return [shaped(a, left), shaped(b, right)];
}

/** Feeds all guests; returns when nothing is left to happen. */
async function run(gang: Gang, made: readonly MadeStream[], random: SeededRandom): Promise<void> {
  await Promise.all(
    made.map(async ({ bytes }, i) => {
      const guest = await gang.begin(i).catch(() => undefined);
      if (!guest) return;
      await feed(guest, bytes, random, 100_000);
      await gang.outgoing[i].over;
    }),
  );
  await gang.source.close();
  await gang.serving;
}

/** What must hold however a session has ended. Returns the kinds of outcomes. */
function expectSafe(gang: Gang, made: readonly MadeStream[], where: string): string[] {
  return made.map(({ bytes }, i) => {
    const { outcomes, guest, isCommitted, returnedBytes } = gang.outgoing[i];
    if (!guest) return "not begun";
    expect(outcomes.length, where).toBe(1);
    const { kind } = outcomes[0];
    const incoming = gang.incoming.get(`vm${i}`);
    const runsThere = incoming?.runs ?? false;
    if (incoming) {
      const got = incoming.bytes;
      expect(Buffer.compare(got, bytes.subarray(0, got.length)), where).toBe(0);
    }
    if (kind === "failed") expect(runsThere, `${where}: runs at both ends`).toBe(false);
    if (kind === "migrated") expect(runsThere, `${where}: runs nowhere`).toBe(true);
    if (kind === "doubt") expect(isCommitted, `${where}: in doubt too early`).toBe(true);
    if (kind === "doubt") expect(returnedBytes.equals(SHUT), `${where}: too late`).toBe(false);
    if (runsThere) expect(isCommitted, `${where}: runs uncommitted`).toBe(true);
    return kind;
  });
}

describe("a link that breaks", () => {
  it.each([false, true])("leaves each guest in one outcome (silent: %s)", async (isSilent) => {
    const random = seededRandom(randomSeed("cut"));
    const made = madeStreams(random, 3, 120);
    const streams = made.map(({ bytes }) => bytes);
    const engines: [EngineResources, EngineResources] = [
      await openResources(1),
      await openResources(1),
    ];
    const free = engines.map(({ arena }) => arena.largestFreeBytes);
    const [sourceEngine, targetEngine] = engines;
    const setup: GangSetup = {
      streams,
      sourceEngine,
      targetEngine,
      runsAfter: runsAfter(made),
      source: { times: TIMES },
    };
    const [left, right] = loopbackPair();
    const whole = await openGang({ ...setup, connections: [left, right] });
    await run(whole, made, random);
    expect(new Set(expectSafe(whole, made, "whole"))).toEqual(new Set(["migrated"]));
    const kinds = new Map<string, number>();
    for (let round = 0; round < CUTS / (isSilent ? 4 : 1); round++) {
      const isReturn = random.int(2) === 0;
      const total = isReturn ? right.sentBytes : left.sentBytes;
      // Every second time where it matters most.
      const at = round % 2 ? random.int(total) : total - random.int(Math.min(total, 2000));
      const shape = isSilent ? { stallAfterBytes: at } : { cutAfterBytes: at };
      const connections = isReturn ? shapedPair({}, shape) : shapedPair(shape, {});
      const where = `round ${round}, ${isReturn ? "returning " : ""}byte ${at} of ${total}`;
      const gang = await openGang({ ...setup, connections }).catch((error) => {
        expect(error, where).toBeInstanceOf(PagefoldError);
      });
      if (!gang) continue;
      await run(gang, made, random);
      for (const kind of expectSafe(gang, made, where)) {
        kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
      }
      expect(
        engines.map(({ arena }) => arena.largestFreeBytes),
        where,
      ).toEqual(free);
    }
    expect(kinds.get("failed")).toBeGreaterThan(0);
  });
});

/** The connection, with one byte of what is sent changed on the way. */
function flipping(inner: Connection, at: number, bit: number): Connection {
  const write = inner.write.bind(inner);
  let sent = 0;
  inner.write = (parts) => {
    const copies = parts.map((part) => part.slice());
    for (const copy of copies) {
      if (at >= sent && at < sent + copy.length) copy[at - sent] ^= 1 << bit;
      sent += copy.length;
    }
    return write(copies);
  };
  return inner;
}

describe("a link that changes a byte", () => {
  // Behind a wrong length nothing comes for a while: that is found out later than the rest.
  it("ends the session and leaves each guest in one outcome", async () => {
    const times = { heartbeatMs: 10, silenceMs: 40 };
    const random = seededRandom(randomSeed("flip"));
    const made = madeStreams(random, 3, 60);
    const streams = made.map(({ bytes }) => bytes);
    const sourceEngine = await openResources(1);
    const targetEngine = await openResources(1);
    const setup = { streams, sourceEngine, targetEngine, runsAfter: runsAfter(made) };
    const [left, right] = loopbackPair();
    await run(await openGang({ ...setup, connections: [left, right] }), made, random);
    for (let round = 0; round < CUTS; round++) {
      const connections = loopbackPair();
      const back = random.int(4) === 0 ? 1 : 0;
      // What is said when all is done varies, and by then nothing depends on it.
      const at = random.int(([left, right][back].sentBytes * 9) / 10);
      flipping(connections[back], at, random.int(8));
      const where = `round ${round}, ${back ? "returning " : ""}byte ${at}`;
      const gang = await openGang({ ...setup, connections, source: { times } }).catch((error) => {
        expect(lineOf(error), where).toMatch(/session|peer|loopback/);
      });
      if (!gang) continue;
      await run(gang, made, random);
      expectSafe(gang, made, where);
      const ended = await gang.source.ended.catch((error: unknown) => error);
      expect(lineOf(ended), where).toMatch(/session|peer|loopback/);
      expect(lineOf(await gang.serving), where).toMatch(/session|peer|loopback/);
    }
  });
});
