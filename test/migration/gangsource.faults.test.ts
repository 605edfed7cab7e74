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
  type Incoming,
  lineOf,
  openGang,
  openResources,
  SHUT,
  until,
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
  it("ends the session and leaves each guest in one outcome", async () => {
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
      const gang = await openGang({ ...setup, connections, source: { times: TIMES } }).catch(
        (error) => expect(lineOf(error), where).toMatch(/session|peer|loopback/),
      );
      if (!gang) continue;
      await run(gang, made, random);
      expectSafe(gang, made, where);
      const ended = await gang.source.ended.catch((error: unknown) => error);
      expect(lineOf(ended), where).toMatch(/session|peer|loopback/);
      expect(lineOf(await gang.serving), where).toMatch(/session|peer|loopback/);
    }
  });
});

describe("one guest of a gang", () => {
  async function threeGuests(setup: Partial<GangSetup> = {}) {
    const random = seededRandom(randomSeed("gang"));
    const shared = sharedPages(random, 200);
    const made = [0, 1, 2].map(() => guestStream(random, shared, { pages: 800 }));
    const streams = made.map(({ bytes }) => bytes);
    return { random, streams, made, gang: await openGang({ streams, ...setup }) };
  }

  it("does not hold up the others when its hypervisor stalls", async () => {
    let go: () => void = () => undefined;
    const stall = new Promise<void>((resolve) => {
      go = resolve;
    });
    const onIncoming = (incoming: Incoming, number: number): void => {
      if (number === 1) incoming.stall = stall;
    };
    const shared = sharedPages(seededRandom(1), 200);
    // More than may be under way of one guest.
    const long = guestStream(seededRandom(2), shared, { pages: 6000 }).bytes;
    const short = guestStream(seededRandom(3), shared, { pages: 3000 }).bytes;
    const streams = [short, long, short];
    const gang = await openGang({ streams, onIncoming });
    const random = seededRandom(4);
    const fed = streams.map(async (bytes, i) => feed(await gang.begin(i), bytes, random));
    expect((await gang.outgoing[0].over).kind).toBe("migrated");
    expect((await gang.outgoing[2].over).kind).toBe("migrated");
    expect(gang.outgoing[1].guest?.streamBytes).toBeLessThan(16 << 20);
    expect(gang.incoming.get("vm1")?.receivedBytes).toBe(0);
    go();
    await Promise.all(fed);
    expect((await gang.outgoing[1].over).kind).toBe("migrated");
    expect(gang.incoming.get("vm1")?.bytes.equals(long)).toBe(true);
  });

  it("may be given up: the others go on, and refer to what it brought (aborted slots)", async () => {
    const { random, streams, gang } = await threeGuests();
    const first = await gang.begin(0);
    await feed(first, streams[0].subarray(0, streams[0].length >> 1), random);
    await until(() => (gang.incoming.get("vm0")?.receivedBytes ?? 0) > 1_000_000);
    first.abort("vm0: QEMU was killed");
    expect(gang.outgoing[0].outcomes).toEqual([
      { kind: "failed", name: "vm0", reason: "vm0: QEMU was killed" },
    ]);
    const { duplicateAcross } = gang.source.numbers.counts;
    for (const i of [1, 2]) await feed(await gang.begin(i), streams[i], random);
    for (const i of [1, 2]) {
      expect((await gang.outgoing[i].over).kind).toBe("migrated");
      expect(gang.incoming.get(`vm${i}`)?.bytes.equals(streams[i])).toBe(true);
    }
    expect(gang.source.numbers.counts.duplicateAcross).toBeGreaterThan(duplicateAcross + 200);
    expect(gang.incoming.get("vm0")?.abortReason).toBe("vm0: QEMU was killed");
    await gang.source.close();
    expect(await gang.serving).toBeUndefined();
    expect(gang.overs).toContainEqual({ name: "vm0", reason: "vm0: QEMU was killed" });
  });

  it("may come again after it has failed, in the same session", async () => {
    const { random, streams, gang } = await threeGuests();
    for (let attempt = 0; attempt < 4; attempt++) {
      const guest = await gang.begin(0);
      await expect(gang.begin(0)).rejects.toThrow("vm0 is migrating already");
      await feed(guest, streams[0].subarray(0, random.int(streams[0].length - 1)), random);
      guest.end();
      expect(guest.isOver).toBe(true);
    }
    await feed(await gang.begin(0), streams[0], random);
    await until(() => gang.outgoing[0].outcomes.length === 5);
    expect(gang.outgoing[0].outcomes.map(({ kind }) => kind)).toEqual([
      ..."failed ".repeat(4).trim().split(" "),
      "migrated",
    ]);
    expect(gang.incoming.get("vm0")?.bytes.equals(streams[0])).toBe(true);
    await gang.source.close();
    expect(await gang.serving).toBeUndefined();
  });

  it("is given up when no hypervisor takes it at the target", async () => {
    const { random, streams, gang } = await threeGuests({
      onIncoming(_, number) {
        if (number === 1) throw new Error("nobody listens there");
      },
    });
    await Promise.all(streams.map(async (bytes, i) => feed(await gang.begin(i), bytes, random)));
    await Promise.all(gang.outgoing.map(({ over }) => over));
    const kinds = gang.outgoing.map(({ outcomes }) => outcomes[0]);
    expect(kinds[1]).toEqual({ kind: "failed", name: "vm1", reason: "vm1: nobody listens there" });
    expect([kinds[0].kind, kinds[2].kind]).toEqual(["migrated", "migrated"]);
  });

  it("is given up when its hypervisor fails before the release", async () => {
    const { random, streams, gang } = await threeGuests({
      onIncoming(incoming, number) {
        const write = incoming.write.bind(incoming);
        incoming.write = async (bytes) => {
          if (number === 2 && incoming.receivedBytes > 500_000) throw new Error("it has died");
          await write(bytes);
        };
      },
    });
    await Promise.all(streams.map(async (bytes, i) => feed(await gang.begin(i), bytes, random)));
    await Promise.all(gang.outgoing.map(({ over }) => over));
    const kinds = gang.outgoing.map(({ outcomes }) => outcomes[0].kind);
    expect(kinds).toEqual(["migrated", "migrated", "failed"]);
    expect(gang.outgoing[2].outcomes[0]).toMatchObject({
      reason: "vm2: QEMU at the target: it has died",
    });
  });

  it("is given up when its commit cannot be recorded", async () => {
    const { random, streams, gang } = await threeGuests();
    gang.outgoing[0].onCommit = async () => {
      throw new PagefoldError("OUTPUT", "vm0.commit: no space left on device");
    };
    await Promise.all(streams.map(async (bytes, i) => feed(await gang.begin(i), bytes, random)));
    await Promise.all(gang.outgoing.map(({ over }) => over));
    expect(gang.outgoing.map(({ outcomes }) => outcomes[0].kind)).toEqual([
      "failed",
      "migrated",
      "migrated",
    ]);
    expect(gang.incoming.get("vm0")?.runs).toBe(false);
  });

  it("may be given up while its hash is compared, without harm to the others", async () => {
    const { random, streams, gang } = await threeGuests();
    const [first] = gang.outgoing;
    first.onCommit = async () => {
      first.guest?.abort("vm0: cancelled");
    };
    await Promise.all(streams.map(async (bytes, i) => feed(await gang.begin(i), bytes, random)));
    await Promise.all(gang.outgoing.map(({ over }) => over));
    expect(gang.outgoing.map(({ outcomes }) => outcomes.map(({ kind }) => kind))).toEqual([
      ["failed"],
      ["migrated"],
      ["migrated"],
    ]);
    expect(gang.incoming.get("vm0")?.runs).toBe(false);
  });

  it("that waits for room ends when the session is closed", async () => {
    const { random, gang } = await threeGuests({
      onIncoming(incoming) {
        incoming.stall = new Promise(() => undefined);
      },
      source: { times: TIMES },
    });
    const guest = await gang.begin(0);
    const { bytes } = guestStream(random, sharedPages(random, 10), { pages: 9000 });
    const fed = feed(guest, bytes, random);
    await until(() => guest.streamBytes > 11 << 20);
    await gang.source.close();
    await fed;
    expect(gang.outgoing[0].outcomes).toMatchObject([
      { kind: "failed", reason: "the source was closed" },
    ]);
    await gang.serving;
  });
});
