// Pre-copy of guests that write all the time: the target is what the source is in the end, and
// whatever fails before the commit, the guest runs on at the source.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PagefoldError } from "../../src/core/errors.ts";
import { precopy } from "../../src/migration/precopy.ts";
import { NotHandedOver, PrecopyError, type RoundReport } from "../../src/migration/precopyapi.ts";
import {
  CopyLink,
  idle,
  type LinkOptions,
  LiveGuest,
  SimulatedClock,
  scribbler,
  sweeper,
} from "../support/liveguest.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const PAGE_BYTES = 4096;

async function failureOf(migration: Promise<unknown>): Promise<PrecopyError> {
  const error = await migration.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(PrecopyError);
  return error as PrecopyError;
}

describe("pre-copy", () => {
  it("never loses a page, whoever writes and however the link reads", async () => {
    const seed = randomSeed("precopy");
    let putOffPages = 0;
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (salt) => {
        const random = seededRandom(salt);
        const frameCount = 1 + random.int(300);
        const writer = scribbler(random, random.int(12), 1 + random.int(frameCount));
        const guest = new LiveGuest(frameCount, writer, () => random.int(10));
        const clock = new SimulatedClock();
        const linkOptions: LinkOptions = {
          clock,
          bytesPerSecond: 1e6,
          chunkPages: 1 + random.int(20),
          readers: 1 + random.int(3),
          copiesBits: random.int(3) === 0,
        };
        const link = new CopyLink(frameCount, linkOptions);
        const options = { clock, putOff: random.int(4) > 0, lookFrames: 1 + random.int(40) };
        const report = await precopy(guest, link, {
          ...options,
          downtimeLimitMs: random.int(100),
          ...(random.int(2) === 0 && { rate: { minimum: 1e5, maximum: 1e6 } }),
        });
        expect(link.target.equals(guest.memory)).toBe(true);
        expect(guest.calls).toEqual(["pause"]);
        expect(link.calls).toEqual(["prepare", "commit"]);
        expect(report.rounds.at(-1)?.remainingPages).toBe(0);
        for (const round of report.rounds) putOffPages += round.putOffPages;
      }),
      { seed, numRuns: 300 },
    );
    expect(putOffPages).toBeGreaterThan(0);
  });

  it("reports times, pages and rounds", async () => {
    const clock = new SimulatedClock();
    const guest = new LiveGuest(4000, sweeper(clock, 100));
    const link = new CopyLink(4000, { clock, bytesPerSecond: 1000 * PAGE_BYTES });
    const seen: RoundReport[] = [];
    const options = { clock, onRound: (round: RoundReport) => seen.push(round), putOff: false };
    const report = await precopy(guest, link, options);
    expect(report.rounds).toEqual(seen);
    // 400 pages take 400 ms, 40 pages are few.
    expect(report.rounds.map(({ pages }) => pages)).toEqual([4000, 400, 40]);
    expect(report.rounds.map(({ remainingPages }) => remainingPages)).toEqual([400, 40, 0]);
    expect(report.stopReason).toBe("small remainder");
    expect(report.preparationTimeMs).toBeCloseTo(4400);
    expect(report.downtimeMs).toBeCloseTo(40);
    expect(report.resumeTimeMs).toBe(0);
    expect(report.totalMigrationTimeMs).toBeCloseTo(4440);
    expect(report.pagesTransferred).toBe(4440);
    expect(report.wireBytes).toBe(4440 * PAGE_BYTES);
  });

  it("stops the guest when the rest fits the downtime", async () => {
    const clock = new SimulatedClock();
    const guest = new LiveGuest(4000, sweeper(clock, 100));
    const link = new CopyLink(4000, { clock, bytesPerSecond: 1000 * PAGE_BYTES });
    const report = await precopy(guest, link, { clock, downtimeLimitMs: 500, putOff: false });
    expect(report.rounds.map(({ pages }) => pages)).toEqual([4000, 400]);
    expect(report.downtimeMs).toBeCloseTo(400);
  });

  it("sends the writable set once, if nothing else is left", async () => {
    const clock = new SimulatedClock();
    const hot = (guest: LiveGuest) => {
      for (let frame = 0; frame < 300; frame++) guest.touch(frame * 7);
    };
    const migrate = async (putOff: boolean) => {
      const guest = new LiveGuest(4000, hot);
      const link = new CopyLink(4000, { clock, bytesPerSecond: 4e6 });
      const options = { clock, downtimeLimitMs: 0, lookFrames: 64, putOff };
      const report = await precopy(guest, link, options);
      expect(link.target.equals(guest.memory)).toBe(true);
      return report;
    };
    const report = await migrate(true);
    expect(report.stopReason).toBe("writable set");
    expect(report.writableSetPages).toBe(300);
    // What is read before the first look of each of three rounds is sent in vain.
    const sentTwice = report.pagesTransferred - 4000;
    expect(sentTwice).toBeLessThan(3 * 64);
    expect((await migrate(false)).pagesTransferred - 4000).toBeGreaterThan(900);
  });

  it.each([
    ["no progress", { maxStalledRounds: 2, maxVolume: 100 }, 3],
    ["round limit", { maxRounds: 5, maxStalledRounds: 100, maxVolume: 100 }, 5],
    ["volume limit", { maxStalledRounds: 100 }, 4],
  ] as const)("ends with: %s", async (stopReason, limits, rounds) => {
    const clock = new SimulatedClock();
    const guest = new LiveGuest(1000, sweeper(clock, 5000));
    const link = new CopyLink(1000, { clock, bytesPerSecond: 1000 * PAGE_BYTES });
    const report = await precopy(guest, link, { clock, putOff: false, ...limits });
    expect(report.stopReason).toBe(stopReason);
    expect(report.rounds.length).toBe(rounds + 1);
    expect(link.target.equals(guest.memory)).toBe(true);
  });

  it("ends by itself with the limits that nobody set, whatever the guest writes", async () => {
    const clock = new SimulatedClock();
    const guest = new LiveGuest(2000, sweeper(clock, 1e6));
    const link = new CopyLink(2000, { clock, bytesPerSecond: 1000 * PAGE_BYTES });
    const report = await precopy(guest, link, { clock });
    expect(report.rounds.length).toBeLessThanOrEqual(30);
    expect(link.target.equals(guest.memory)).toBe(true);
  });

  it("takes a guest without pages", async () => {
    const link = new CopyLink(0);
    const report = await precopy(new LiveGuest(0, idle), link);
    expect(report.pagesTransferred).toBe(0);
    expect(link.calls).toEqual(["prepare", "commit"]);
  });
});

describe("pre-copy that fails", () => {
  it("leaves the guest running, wherever a read fails", async () => {
    const seed = randomSeed("precopy failures");
    const steps = new Set<string>();
    // The same migration again and again, until no read is left that could fail.
    for (let failAt = 0; ; failAt++) {
      const scribble = scribbler(seededRandom(seed), 4, 20);
      const guest = new LiveGuest(200, (written) => {
        written.touch(0);
        scribble(written);
      });
      const beforeRead = (reads: number) => {
        if (reads === failAt) throw new Error("the link is down");
      };
      const link = new CopyLink(200, { beforeRead, chunkPages: 8 });
      const migration = precopy(guest, link, { downtimeLimitMs: 0, clock: new SimulatedClock() });
      if ((await Promise.allSettled([migration]))[0].status === "fulfilled") break;
      const error = await failureOf(migration);
      const wasPaused = guest.calls.includes("pause");
      steps.add(wasPaused ? "paused" : "running");
      expect(error.message).toMatch(/^pre-copy: (round \d+|stop-and-copy): the link is down; /);
      const then = wasPaused ? "runs again at the source, after" : "the guest runs on";
      expect(error.message).toContain(then);
      expect([error.remains, error.code]).toEqual(["running", "CONNECTION"]);
      expect(guest.isPaused).toBe(false);
      expect(guest.calls).toEqual(wasPaused ? ["pause", "resume"] : []);
      expect(link.calls).toEqual([]);
    }
    expect([...steps].sort()).toEqual(["paused", "running"]);
  });

  it("says whose failure it is", async () => {
    const broken = () => Promise.reject(new Error("the guest is gone"));
    const cases = [
      [{ read: broken }, "round 1: the guest is gone; the guest runs on", "INPUT"],
      [{ takeDirty: broken }, "begin: the guest is gone; the guest runs on", "INPUT"],
      [{ pause: broken }, "pause: the guest is gone; the guest runs again", "INPUT"],
    ] as const;
    for (const [parts, message, code] of cases) {
      const guest = Object.assign(new LiveGuest(20, idle), parts);
      const error = await failureOf(precopy(guest, new CopyLink(20)));
      expect(error.message).toContain(message);
      expect([error.code, error.remains, guest.isPaused]).toEqual([code, "running", false]);
    }
    const link = new CopyLink(20);
    link.round = () => Promise.reject(new PagefoldError("LIMIT", "no memory left"));
    expect((await failureOf(precopy(new LiveGuest(20, idle), link))).code).toBe("LIMIT");
  });

  it("resumes the guest when the target does not agree", async () => {
    const guest = new LiveGuest(20, idle);
    const link = new CopyLink(20);
    link.prepare = () => Promise.reject(new PagefoldError("MISMATCH", "another checksum"));
    const error = await failureOf(precopy(guest, link));
    expect(error.message).toMatch(/prepare: another checksum; the guest runs again/);
    expect([error.code, error.rounds.length]).toEqual(["MISMATCH", 1]);
    expect(guest.calls).toEqual(["pause", "resume"]);
    expect(link.calls).toEqual([]);
  });

  it("says that the guest stays paused when it cannot be resumed", async () => {
    const guest = new LiveGuest(20, idle);
    guest.resume = () => Promise.reject(new Error("no answer"));
    const link = new CopyLink(20);
    link.prepare = () => Promise.reject(new Error("the link is down"));
    const error = await failureOf(precopy(guest, link));
    expect(error.message).toMatch(/the link is down; it could not be .* paused: no answer$/);
    expect([error.remains, guest.isPaused]).toEqual(["paused", true]);
  });

  it("leaves the guest paused when nobody knows whether the target has it", async () => {
    const guest = new LiveGuest(20, idle);
    const link = new CopyLink(20);
    link.commit = () => Promise.reject(new Error("the link is down"));
    const error = await failureOf(precopy(guest, link));
    expect(error.message).toMatch(/commit: the link is down; in doubt: .* stays paused$/);
    expect([error.code, error.remains, guest.isPaused]).toEqual(["DOUBT", "in doubt", true]);
    expect(guest.calls).toEqual(["pause"]);
  });

  it("resumes the guest when it is certain that the target does not run it", async () => {
    const guest = new LiveGuest(20, idle);
    const link = new CopyLink(20);
    link.commit = () => Promise.reject(new NotHandedOver("it has no room"));
    const aborts: string[] = [];
    const sink = Object.assign(link, { abort: (reason: string) => aborts.push(reason) });
    const error = await failureOf(precopy(guest, sink));
    expect(error.message).toMatch(/commit: it has no room; the guest runs again at the source/);
    expect([error.code, error.remains]).toEqual(["CONNECTION", "running"]);
    expect([guest.calls, aborts]).toEqual([["pause", "resume"], ["commit: it has no room"]]);
  });

  it("does not commit what was not read, or was written while paused", async () => {
    const guest = new LiveGuest(40, idle);
    const link = new CopyLink(40);
    link.round = async (pages) => {
      await pages.read(0, 30, new Uint8Array(30 * PAGE_BYTES));
      return 0;
    };
    const error = await failureOf(precopy(guest, link));
    expect(error.message).toContain("10 pages were not read, or written although");
    expect([error.code, guest.isPaused]).toEqual(["CHANGED", false]);

    const restless = new LiveGuest(40, idle);
    let taken = 0;
    restless.takeDirty = async (into) => {
      if (restless.isPaused && taken++ < 2) into[0] = 1;
    };
    const calm = await precopy(restless, new CopyLink(40));
    expect(calm.rounds.slice(1).map(({ pages }) => pages)).toEqual([1, 1]);
    taken = Number.NEGATIVE_INFINITY;
    await restless.resume();
    const other = await failureOf(precopy(restless, new CopyLink(40)));
    expect(other.message).toContain("1 pages were not read, or written although");
  });

  it("ends with the reason of its signal, and the guest runs", async () => {
    const random = seededRandom(5);
    for (const abortAt of [-1, 0, 30, 10_000]) {
      const abort = new AbortController();
      if (abortAt < 0) abort.abort(new Error("enough"));
      const guest = new LiveGuest(400, scribbler(random, 3, 10));
      const beforeRead = (reads: number) => {
        if (reads === abortAt) abort.abort(new Error("enough"));
      };
      const link = new CopyLink(400, { beforeRead });
      link.prepare = async () => abort.abort(new Error("enough"));
      await expect(precopy(guest, link, { signal: abort.signal })).rejects.toThrow(/^enough$/);
      expect(guest.isPaused).toBe(false);
      expect(guest.calls.length).toBe(guest.calls.includes("pause") ? 2 : 0);
      expect(link.calls).toEqual([]);
    }
  });

  it("does not end after the commit began", async () => {
    const abort = new AbortController();
    const guest = new LiveGuest(40, idle);
    const link = new CopyLink(40);
    link.commit = async () => abort.abort();
    await precopy(guest, link, { signal: abort.signal });
    expect(guest.isPaused).toBe(true);
  });
});
