// Whatever dies while a gang moves through the tunnel, and whenever: each guest runs on at one end,
// or is in doubt and said to be. PAGEFOLD_KILL_ROUNDS=N does all rounds N times.
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Gang } from "../../scripts/vm/gang.ts";
import type { Move } from "../../scripts/vm/move.ts";
import { randomSeed, seededRandom } from "../support/random.ts";
import { type Fate, fatesOf, goOn, killRound, tunnelOf, VICTIMS } from "./killround.ts";
import { Relay } from "./relay.ts";
import {
  eventOf,
  LIMIT_MS,
  leftBehind,
  moveThrough,
  tunnel,
  untilRunning,
  withMove,
} from "./tunnelmoves.ts";

const WORKLOADS = ["redis", "churn", "idle"] as const;
/** The end of its memory, the hashes and the commit need no longer. */
const DECIDED_MS = 1000;
const ROUNDS = Number(process.env.PAGEFOLD_KILL_ROUNDS ?? 1);
const random = seededRandom(randomSeed("kills"));
/** Booted again when a test has failed, or has left too few. */
let gang: Gang | undefined;
/** How long a migration takes in which nothing is killed. */
let totalMs = 0;

async function wholeGang(): Promise<Gang> {
  if (gang && gang.guests.length < 2) await dropGang();
  gang ??= await Gang.boot({ workloads: WORKLOADS, memoryMiB: 128, mbit: 1000 });
  return gang;
}

async function dropGang(): Promise<void> {
  const dropped = gang;
  gang = undefined;
  await dropped?.close();
}

beforeAll(async () => {
  const { report } = await moveThrough(await wholeGang(), { via: tunnel() });
  totalMs = Math.round(report.totalMs);
});
afterEach(async ({ task }) => {
  if (task.result?.state === "fail") await dropGang();
});
afterAll(dropGang);

describe("a guest that was handed over and about which nothing is heard", () => {
  const EXPECTED: readonly Fate[] = ["doubt", "target", "target"];

  /**
   * The first guest is handed over, but its QEMU at the target does not get what decides. When
   * `strike` has been done, its source must stay paused; `then` finds out what becomes of it.
   */
  async function handOver(
    strike: (move: Move, gang: Gang) => Promise<void> | void,
    then: (move: Move, relay: Relay, gang: Gang) => Promise<void>,
  ): Promise<void> {
    const gang = await wholeGang();
    await withMove(gang, { via: tunnel() }, async (move) => {
      const [source] = move.sources;
      const { fileName, options } = move.targets[0];
      const relay = await Relay.open(join(options.folder, `${fileName}.in`));
      try {
        source.qmp.onEvent(({ name }) => {
          if (name === "STOP") relay.hold();
        });
        const paused = eventOf(source, "STOP");
        await move.begin();
        await paused;
        for (const other of move.targets.slice(1)) {
          await other.qmp.event("RESUME", { timeoutMs: LIMIT_MS });
        }
        await relay.quiet(DECIDED_MS);
        await strike(move, gang);
        expect(await fatesOf(move)).toEqual(EXPECTED);
        expect(await source.runs()).toBe(false);
        await then(move, relay, gang);
        await goOn(gang, move, EXPECTED);
      } finally {
        relay.close();
      }
    });
  }

  it("stays paused at the source when pagefold is killed there, held by a shell", async () => {
    await handOver(
      (move) => tunnelOf(move).source.kill("SIGKILL"),
      async (move, relay) => {
        const { source, target } = tunnelOf(move);
        expect(source.stderr).toContain(`pagefold: ${move.sources[0].name}: the tunnel to`);
        expect(await target.ended(LIMIT_MS)).toBe(1);
        relay.release();
        await untilRunning(move.targets[0]);
      },
    );
  });

  it("goes on at the source when its holder is ended, after the target has died", async () => {
    await handOver(
      (move) => tunnelOf(move).target.kill("SIGKILL"),
      async (move) => {
        await expectDoubt(move);
        await move.targets[0].kill();
      },
    );
  });

  it("stays paused at the source when the link is cut", async () => {
    await handOver(
      (_, gang) => gang.link.cut(),
      async (move, relay, gang) => {
        await expectDoubt(move);
        expect(await tunnelOf(move).target.ended(LIMIT_MS)).toBe(1);
        await gang.link.mend();
        relay.release();
        await untilRunning(move.targets[0]);
      },
    );
  });

  async function expectDoubt(move: Move): Promise<void> {
    const { source } = tunnelOf(move);
    const [{ name }] = move.sources;
    expect(await source.ended(LIMIT_MS), source.complaint).toBe(4);
    expect(source.stderr).toContain(`pagefold: in doubt: ${name}: handed over`);
    expect(source.report.guests[0].doubtMs).toBeGreaterThan(DECIDED_MS / 2);
    expect(source.report.guests.map(({ outcome }) => outcome)).toEqual([
      "doubt",
      "migrated",
      "migrated",
    ]);
    expect(leftBehind(move)).toEqual([]);
  }
});

describe("a gang that moves through the tunnel when something dies", () => {
  for (let round = 0; round < ROUNDS; round++) {
    for (const victim of VICTIMS) {
      for (const moment of ["way", "end"] as const) {
        it(`${victim}, ${moment === "way" ? "on the way" : "at the end"}`, async () => {
          await killRound(await wholeGang(), { victim, moment }, { random, totalMs });
        });
      }
    }
  }
});
