// What becomes of one guest of a gang must not touch the others: it stalls, is given up, fails at
// either end, or comes again.
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { PagefoldError } from "../../src/core/errors.ts";
import { feed, type GangSetup, type Incoming, openGang, until } from "../support/gang.ts";
import { guestStream, sharedPages } from "../support/gangstreams.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const TIMES = { heartbeatMs: 30, silenceMs: 400 };

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

  it("may be given up: its slots stay valid, and others refer to them", async () => {
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

  it("lets go of who writes for it when it is given up", async () => {
    const stall = new Promise<void>(() => undefined);
    const onIncoming = (incoming: Incoming): void => {
      incoming.stall = stall;
    };
    // More than may be under way of one guest.
    const shared = sharedPages(seededRandom(1), 200);
    const stream = guestStream(seededRandom(2), shared, { pages: 6000 }).bytes;
    const gang = await openGang({ streams: [stream], onIncoming });
    const guest = await gang.begin(0);
    const writing = guest.write(stream);
    const taken = guest.taken();
    await until(() => guest.streamBytes >= 4 << 20);
    // What is under way wakes them too.
    await sleep(200);
    guest.abort("vm0: enough");
    await Promise.all([writing, taken]);
    expect(gang.outgoing[0].outcomes).toEqual([
      { kind: "failed", name: "vm0", reason: "vm0: enough" },
    ]);
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

  it("is taken to be complete when a stream that may have ended falls silent", async () => {
    const random = seededRandom(randomSeed("gang"));
    const shape = { pages: 50, hasDescription: false };
    const { bytes } = guestStream(random, sharedPages(random, 10), shape);
    const gang = await openGang({ streams: [bytes] });
    const before = performance.now();
    await feed(await gang.begin(0), bytes, random);
    expect((await gang.outgoing[0].over).kind).toBe("migrated");
    expect(performance.now() - before).toBeGreaterThan(190);
    expect(gang.incoming.get("vm0")?.bytes.equals(bytes)).toBe(true);
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
    await until(() => guest.streamBytes >= 4 << 20);
    await gang.source.close();
    await fed;
    expect(gang.outgoing[0].outcomes).toMatchObject([
      { kind: "failed", reason: "the source was closed" },
    ]);
    await gang.serving;
  });
});
