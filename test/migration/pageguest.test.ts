// Guests of pages in a gang: what runs at the target is what was paused at the source, beside
// QEMU's streams, and until the commit the source has the guest, whatever fails.
import { fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { PageSink } from "../../src/image/image.ts";
import { openPageGuest, type PageGuestOptions } from "../../src/migration/pageguest.ts";
import { type PageGuestTarget, pageGuestSink } from "../../src/migration/pageguestsink.ts";
import { precopy } from "../../src/migration/precopy.ts";
import type {
  PrecopyError,
  PrecopyOptions,
  PrecopyReport,
} from "../../src/migration/precopyapi.ts";
import { loopbackPair } from "../../src/transport/loopback.ts";
import { shaped } from "../../src/transport/shaped.ts";
import { temporaryFolder } from "../support/folder.ts";
import { feed, type GangSetup, openGang, openResources, until } from "../support/gang.ts";
import { guestStream, sharedPages } from "../support/gangstreams.ts";
import { idle, LiveGuest, SimulatedClock, scribbler } from "../support/liveguest.ts";
import { randomSeed, type SeededRandom, seededRandom } from "../support/random.ts";
import { sinkInto } from "../support/rounds.ts";

const PAGE_BYTES = 4096;
const LOST = /the cable was cut|the connection is closed/;
const NO_STREAM = new Uint8Array(0);

/** The target's side of a guest: it keeps all that it is told. */
class Taker implements PageGuestTarget {
  memory = Buffer.alloc(0);
  state: Uint8Array | undefined;
  readonly aborts: string[] = [];
  begins = 0;
  private readonly takesZeros: boolean;

  constructor(takesZeros = false) {
    this.takesZeros = takesZeros;
  }

  async begin(frameCount: number): Promise<PageSink> {
    this.begins++;
    this.memory = Buffer.alloc(frameCount * PAGE_BYTES, 0xa5);
    return sinkInto(this.memory, this.takesZeros);
  }

  async run(state: Uint8Array): Promise<void> {
    this.state = state.slice();
  }

  abort(reason: string): void {
    this.aborts.push(reason);
  }
}

/** A gang of guests that are all made of pages. */
async function openPages(takers: readonly Taker[], setup: Partial<GangSetup> = {}) {
  const gang = await openGang({
    streams: takers.map(() => NO_STREAM),
    sinkOf: (name, returns) => {
      const taker = takers[Number(name.slice(2))];
      return taker && pageGuestSink(name, returns, taker);
    },
    ...setup,
  });
  const migrate = async (
    number: number,
    guest: LiveGuest,
    options: PrecopyOptions & PageGuestOptions = {},
  ): Promise<PrecopyReport> => {
    const sent = await openPageGuest(gang.source, number, options);
    return precopy(guest, sent, { downtimeLimitMs: 0, ...options });
  };
  return { gang, migrate };
}

/** A guest that has pages of its own, zeros, and pages that others have. */
function liveGuest(
  random: SeededRandom,
  shared: readonly Uint8Array[],
  frames: number,
  writes = 40,
) {
  const guest = new LiveGuest(frames, scribbler(random, writes, 60));
  for (let frame = 0; frame < frames; frame++) {
    const choice = random.int(4);
    if (choice === 0) guest.memory.fill(0, frame * PAGE_BYTES, (frame + 1) * PAGE_BYTES);
    else if (choice > 1) guest.memory.set(shared[random.int(shared.length)], frame * PAGE_BYTES);
  }
  return guest;
}

describe("guests of pages", () => {
  it("are at the target what they were when they were paused", async () => {
    const random = seededRandom(randomSeed("page guests"));
    const shared = sharedPages(random, 300);
    const guests = [1500, 3000, 2000].map((frames) => liveGuest(random, shared, frames));
    const takers = guests.map((_, i) => new Taker(i === 1));
    const { gang, migrate } = await openPages(takers);
    const states = guests.map((_, i) => random.bytes(i * 200_000));
    const reports = await Promise.all(
      guests.map((guest, i) => migrate(i, guest, { state: async () => states[i] })),
    );
    guests.forEach((guest, i) => {
      expect(guest.calls).toEqual(["pause"]);
      expect(takers[i].memory.equals(guest.memory)).toBe(true);
      expect(Buffer.compare(takers[i].state ?? Buffer.of(1), states[i])).toBe(0);
      expect(takers[i].aborts).toEqual([]);
      expect(reports[i].rounds.length).toBeGreaterThan(2);
    });
    await gang.source.close();
    expect(await gang.serving).toBeUndefined();
    expect(gang.overs.map(({ reason }) => reason)).toEqual([undefined, undefined, undefined]);
    const { counts, wireBytes } = gang.source.numbers;
    expect(counts.duplicateAcross).toBeGreaterThan(300);
    const roundBytes = reports.reduce((sum, report) => sum + report.wireBytes, 0);
    expect(roundBytes).toBeGreaterThan(0.6 * wireBytes);
    expect(roundBytes).toBeLessThan(wireBytes);
  });

  it("share content with those of QEMU", async () => {
    const random = seededRandom(randomSeed("mixed gang"));
    const shared = sharedPages(random, 400);
    const stream = guestStream(random, shared, { pages: 1500 }).bytes;
    const guest = liveGuest(random, shared, 2000);
    const taker = new Taker();
    const { gang, migrate } = await openPages([], {
      streams: [stream, NO_STREAM],
      sinkOf: (name, returns) => (name === "vm1" ? pageGuestSink(name, returns, taker) : undefined),
    });
    const fed = gang.begin(0).then((qemu) => feed(qemu, stream, random));
    const [report] = await Promise.all([migrate(1, guest), fed]);
    expect((await gang.outgoing[0].over).kind).toBe("migrated");
    expect(gang.incoming.get("vm0")?.bytes.equals(stream)).toBe(true);
    expect(taker.memory.equals(guest.memory)).toBe(true);
    expect(report.pagesTransferred).toBeGreaterThan(1900);
    expect(gang.source.numbers.counts.duplicateAcross).toBeGreaterThan(100);
  });

  it("are not held up by one whose target stalls, which takes no more memory", async () => {
    const random = seededRandom(randomSeed("stalled pages"));
    const shared = sharedPages(random, 3000);
    const stalled = new Taker();
    let go: () => void = () => undefined;
    const stall = new Promise<void>((resolve) => {
      go = resolve;
    });
    const { begin } = stalled;
    stalled.begin = async (frameCount) => {
      const sink = await begin.call(stalled, frameCount);
      return { write: async (...pages) => stall.then(() => sink.write(...pages)) };
    };
    const takers = [stalled, new Taker()];
    const guests = [8000, 2000].map((frames) => liveGuest(random, shared, frames, 0));
    const { gang, migrate } = await openPages(takers);
    const sent = await openPageGuest(gang.source, 0);
    const migration = precopy(guests[0], sent);
    await migrate(1, guests[1]);
    expect(takers[1].memory.equals(guests[1].memory)).toBe(true);
    expect(sent.view.streamBytes).toBeLessThan(10 << 20);
    expect(guests[0].calls).toEqual([]);
    go();
    await migration;
    expect(stalled.memory.equals(guests[0].memory)).toBe(true);
    expect(sent.view.streamBytes).toBeGreaterThan(20 << 20);
  });

  it("keep the rate of the round", async () => {
    const clock = new SimulatedClock();
    const { migrate } = await openPages([new Taker()]);
    const guest = new LiveGuest(3000, idle);
    seededRandom(5)
      .bytes(guest.memory.length)
      .forEach((byte, at) => {
        guest.memory[at] = byte;
      });
    const report = await migrate(0, guest, { clock, rate: { minimum: 1e6, maximum: 4e6 } });
    const [{ wireBytes, elapsedMs }] = report.rounds;
    expect(wireBytes).toBeGreaterThan(3000 * PAGE_BYTES);
    expect(Math.abs(elapsedMs - wireBytes / 1000)).toBeLessThan(10.1);
  });
});

it("works between two processes, for memory images that are written to", async () => {
  const example = new URL("../../examples/gang.mjs", import.meta.url);
  const cwd = temporaryFolder();
  const image = Buffer.from(seededRandom(1).bytes(400 * PAGE_BYTES));
  const names = ["a.raw", "b.raw"];
  for (const name of names) writeFileSync(join(cwd, name), image);
  const child = fork(example, names, { cwd, stdio: ["ignore", "pipe", "inherit", "ipc"] });
  let text = "";
  child.stdout?.on("data", (bytes) => {
    text += bytes;
  });
  expect(await once(child, "close")).toEqual([0, null]);
  expect(text).toMatch(/^([ab]\.raw \d+ true\n){2}\d+ bytes together\n$/);
  for (const name of names) {
    const received = readFileSync(join(cwd, `${name}.received`));
    expect([received.length, received.equals(image)]).toEqual([image.length, false]);
  }
  const bytes = Number(text.split("\n")[2].split(" ")[0]);
  expect(bytes).toBeLessThan(1.7 * image.length);
  expect(existsSync(join(cwd, "gang.sock"))).toBe(false);
});

describe("a guest of pages that does not get there", () => {
  /** A migration that fails, and one more in the same session that does not. */
  async function failsOnce(
    spoil: (guest: LiveGuest, taker: Taker) => PrecopyOptions & PageGuestOptions,
  ) {
    const random = seededRandom(randomSeed("spoilt pages"));
    const guest = liveGuest(random, sharedPages(random, 200), 3000);
    const takers = [new Taker()];
    const { gang, migrate } = await openPages(takers);
    const [spoilt] = takers;
    const options = spoil(guest, spoilt);
    const error: PrecopyError = await migrate(0, guest, options).then(
      () => expect.unreachable(),
      (thrown) => thrown,
    );
    expect(guest.isPaused).toBe(false);
    await until(() => spoilt.begins === 0 || gang.overs.length > 0);
    takers[0] = new Taker();
    await migrate(0, guest);
    expect(takers[0].memory.equals(guest.memory)).toBe(true);
    await gang.source.close();
    expect(await gang.serving).toBeUndefined();
    return { error, spoilt, guest, gang };
  }

  it("runs on when its target cannot write", async () => {
    const { error, spoilt } = await failsOnce((_, taker) => {
      const { begin } = taker;
      taker.begin = async (frameCount) => {
        const sink = await begin.call(taker, frameCount);
        const write: PageSink["write"] = async (frame, pages) => {
          if (frame > 1500) throw new Error("the disk is full");
          await sink.write(frame, pages);
        };
        return { write };
      };
      return {};
    });
    expect(error.remains).toBe("running");
    expect(error.code).toBe("CONNECTION");
    expect(error.message).toMatch(
      /round 1: vm0: the disk is full; the guest runs on at the source/,
    );
    expect(spoilt.aborts).toEqual(["vm0: the disk is full"]);
    expect(spoilt.state).toBeUndefined();
  });

  it("runs on when its target does not take it", async () => {
    const { error, spoilt } = await failsOnce((_, taker) => {
      taker.begin = () => Promise.reject(new Error("it is too large for us"));
      return {};
    });
    expect(error.message).toMatch(/round 1: vm0: it is too large for us; the guest runs on/);
    expect(spoilt.aborts).toEqual(["vm0: it is too large for us"]);
  });

  it("runs again when its state cannot be had", async () => {
    const state = () => Promise.reject(new Error("no answer from its devices"));
    const { error, spoilt, guest } = await failsOnce(() => ({ state }));
    expect(error.message).toMatch(/prepare: no answer from its devices; the guest runs again/);
    expect(spoilt.aborts).toEqual(["vm0: prepare: no answer from its devices"]);
    expect(spoilt.state).toBeUndefined();
    expect(guest.calls).toEqual(["pause", "resume", "pause"]);
  });

  it("runs again when the target has refused to run it", async () => {
    const { error, spoilt, guest } = await failsOnce((_, taker) => {
      taker.run = () => Promise.reject(new Error("no such device"));
      return {};
    });
    expect(error.remains).toBe("running");
    expect(error.message).toMatch(/commit: vm0: .*; the guest runs again at the source/);
    expect(spoilt.aborts).toEqual([]);
    expect(guest.calls).toEqual(["pause", "resume", "pause"]);
  });

  it("runs on when the caller has had enough", async () => {
    const abort = new AbortController();
    const { error, spoilt } = await failsOnce((_, taker) => {
      const { begin } = taker;
      taker.begin = async (frameCount) => {
        const sink = await begin.call(taker, frameCount);
        const write: PageSink["write"] = async (frame, pages, signal) => {
          if (frame > 1500) abort.abort(new Error("enough"));
          await sink.write(frame, pages, signal);
        };
        return { write };
      };
      return { signal: abort.signal };
    });
    expect(error.message).toBe("enough");
    expect(spoilt.aborts.join()).toMatch(/^vm0: (round 1|broken off): enough$/);
    expect(spoilt.state).toBeUndefined();
  });

  it("need not have begun", async () => {
    const { error, spoilt, gang } = await failsOnce(() => ({
      signal: AbortSignal.abort(new Error("never mind")),
    }));
    expect(error.message).toBe("never mind");
    expect(spoilt.begins).toBe(0);
    expect(gang.overs[0]).toEqual({ name: "vm0", reason: "vm0: begin: never mind" });
  });

  it("runs on when the session is lost before the commit, and is in doubt behind it", async () => {
    for (const isCommitted of [false, true]) {
      const connections = loopbackPair();
      const taker = new Taker();
      const guest = new LiveGuest(1000, idle);
      const { gang, migrate } = await openPages([taker], { connections });
      const lose = async () => connections[0].destroy(new Error("the cable was cut"));
      if (isCommitted) taker.run = lose;
      const state = isCommitted ? undefined : () => lose().then(() => NO_STREAM);
      const error: PrecopyError = await migrate(0, guest, { state }).then(
        () => expect.unreachable(),
        (thrown) => thrown,
      );
      expect(error.remains).toBe(isCommitted ? "in doubt" : "running");
      expect(error.code).toBe(isCommitted ? "DOUBT" : "CONNECTION");
      expect(error.message).toMatch(LOST);
      expect(guest.isPaused).toBe(isCommitted);
      await gang.serving;
      expect(taker.aborts.length).toBe(isCommitted ? 0 : 1);
      await expect(openPageGuest(gang.source, 0)).rejects.toThrow(LOST);
    }
  });

  it("is at one end alone, wherever the link breaks", async () => {
    const random = seededRandom(randomSeed("cut pages"));
    const shared = sharedPages(random, 50);
    const engines = { sourceEngine: await openResources(0), targetEngine: await openResources(0) };
    const kinds = new Map<string, number>();
    let [forth, back] = [0, 0];
    for (let n = 0; n < 40; n++) {
      const [left, right] = loopbackPair();
      const isReturn = n % 2 === 0;
      const total = isReturn ? back : forth;
      // Every second time where it matters most.
      const at = n % 4 < 2 ? random.int(total + 1) : total - random.int(Math.min(total, 400) + 1);
      const shape = { cutAfterBytes: n === 0 ? Number.POSITIVE_INFINITY : at };
      const connections = [
        isReturn ? left : shaped(left, shape),
        isReturn ? shaped(right, shape) : right,
      ] as const;
      const taker = new Taker();
      const guest = liveGuest(random, shared, 300, 10);
      const pages = await openPages([taker], { ...engines, connections }).catch(() => undefined);
      if (!pages) continue;
      const error = await pages.migrate(0, guest).then(
        () => undefined,
        (thrown: PrecopyError) => thrown,
      );
      await pages.gang.source.close();
      await pages.gang.serving;
      const where = `round ${n}, ${isReturn ? "returning " : ""}byte ${at} of ${total}`;
      const runsThere = taker.state !== undefined;
      if (runsThere) expect(taker.memory.equals(guest.memory), where).toBe(true);
      if (!error) expect(runsThere, where).toBe(true);
      if (error?.remains !== "in doubt") expect(guest.isPaused, where).toBe(runsThere);
      if (error) expect(guest.isPaused, where).toBe(error.remains === "in doubt");
      const kind = error?.remains ?? "migrated";
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
      if (n === 0) [forth, back] = [left.sentBytes, right.sentBytes];
    }
    expect([...kinds.keys()]).toEqual(expect.arrayContaining(["migrated", "running"]));
  });

  it("is refused by a target that waits for a QEMU's stream as pages, and has pages", async () => {
    const random = seededRandom(7);
    const stream = guestStream(random, sharedPages(random, 20), { pages: 100 }).bytes;
    const { gang } = await openPages([new Taker()], { streams: [stream] });
    await feed(await gang.begin(0), stream, random);
    expect(await gang.outgoing[0].over).toMatchObject({
      kind: "failed",
      reason: "vm0: what comes is no stream of pages",
    });
    const none = await openPageGuest(gang.source, 0);
    const limits = { bytesPerSecond: undefined, signal: undefined };
    await expect(none.round(new LiveGuest(0, idle), undefined, limits)).rejects.toThrow("no pages");
    none.abort("it has none");
    expect(await none.ended).toEqual({ kind: "failed", name: "vm0", reason: "vm0: it has none" });
  });
});
