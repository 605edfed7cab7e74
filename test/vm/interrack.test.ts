// The guests of whole racks move through tunnels that share an index and a store: unmodified QEMUs,
// RAM compared page by page, fewer bytes between the racks. And whatever happens to what they
// share or to one of the tunnels, the others arrive intact.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Guest } from "../../scripts/vm/guest.ts";
import { Move } from "../../scripts/vm/move.ts";
import { untilSent } from "../../scripts/vm/querymigrate.ts";
import { RackGang } from "../../scripts/vm/rackgang.ts";
import type { RackMove, RackMoveOptions, RackReport } from "../../scripts/vm/rackmove.ts";
import type { Rack } from "../../scripts/vm/racks.ts";
import type { RedisServer } from "../../scripts/vm/redisserver.ts";
import { LIMIT_MS, leftBehind, RunWatch, tunnel, untilRunning } from "./tunnelmoves.ts";

const HOSTS = 2;
/** Slow enough that something can be done in the middle. */
const SLOW = { "max-bandwidth": 24 << 20 };
/** What a source has sent by then has been asked for and claimed. */
const MIDDLE_BYTES = 16 << 20;
const SHARING: RackMoveOptions = { via: tunnel(), shares: true, arrival: "stays paused" };
/** Booted again when a test has failed. */
let gang: RackGang | undefined;

async function wholeGang(): Promise<RackGang> {
  gang ??= await RackGang.boot({
    ...{ hosts: HOSTS, workloads: ["nginx"], replicas: ["nginx"] },
    ...{ memoryMiB: 128, edgeMbit: 1000, coreMbit: 500 },
  });
  return gang;
}

async function dropGang(): Promise<void> {
  const dropped = gang;
  gang = undefined;
  await dropped?.close();
}

beforeAll(async () => {
  await wholeGang();
});
afterEach(async ({ task }) => {
  if (task.result?.state === "fail") await dropGang();
});
afterAll(dropGang);

/** Moves all while `strike` does something; looks that no guest ever runs twice. */
async function moveWhile<Result>(
  options: RackMoveOptions,
  strike: (move: RackMove) => Promise<unknown> | undefined,
  finish: (move: RackMove, gang: RackGang) => Promise<Result>,
): Promise<Result> {
  const gang = await wholeGang();
  const move = await gang.prepare(options);
  const watches = move.moves.map((one) => new RunWatch(one));
  try {
    await move.begin();
    await strike(move);
    const result = await finish(move, gang);
    for (const watch of watches) await watch.stop();
    for (const one of move.moves) expect(leftBehind(one)).toEqual([]);
    await gang.expectAlive();
    return result;
  } catch (error) {
    await move.abandon().catch(() => undefined);
    throw error;
  }
}

/** All arrive, and no page of RAM differs. */
async function finishWhole(move: RackMove, gang: RackGang): Promise<RackReport> {
  const report = await move.finish(await move.settled(LIMIT_MS), LIMIT_MS);
  gang.moved(move);
  expect(report.differing).toEqual(Array(HOSTS).fill(0));
  return report;
}

const sources = ({ moves }: RackMove): Guest[] => moves.flatMap((move) => move.sources);

async function untilMiddle(move: RackMove): Promise<void> {
  await Promise.all(sources(move).map((source) => untilSent(source, MIDDLE_BYTES)));
}

function sharedOf({ shared }: RackMove): NonNullable<RackMove["shared"]> {
  if (!shared) throw new Error("the tunnels share nothing");
  return shared;
}

describe("the guests of a rack", () => {
  it("arrive with the same RAM, and take fewer bytes than without sharing", async () => {
    const alone = await moveWhile({ ...SHARING, shares: false }, () => undefined, finishWhole);
    const together = await moveWhile(SHARING, () => undefined, finishWhole);
    console.log(`${together.coreBytes} bytes over the core, ${alone.coreBytes} if not shared`);
    expect(together.coreBytes).toBeLessThan(0.95 * alone.coreBytes);
  });
});

describe("the guests of a rack, when something happens to what it shares", () => {
  const middle = { ...SHARING, parameters: SLOW };

  /** Something that happens when pages have been claimed and stored. */
  const strikes: [string, (server: RedisServer) => Promise<unknown>][] = [
    ["is killed", async (server) => server.signal("SIGKILL")],
    ["does not answer any more", async (server) => server.signal("SIGSTOP")],
    ["is flushed", async (server) => expect(await server.ask("flushall")).toBe("OK")],
    ["takes a while for each answer", delay],
  ];
  for (const [what, strike] of strikes) {
    for (const which of ["index", "store"] as const) {
      it(`arrive when the Redis of the ${which} ${what}`, async () => {
        const strikeInTheMiddle = async (move: RackMove): Promise<void> => {
          await untilMiddle(move);
          await strike(sharedOf(move)[which]);
        };
        await moveWhile(middle, strikeInTheMiddle, finishWhole);
      });
    }
  }

  it("arrive when nobody is there from the beginning", async () => {
    const { from, to } = (await wholeGang()).way;
    const url = ({ shared }: Rack): string => `redis://:secret@${shared.address}:6379`;
    const words = {
      sourceWords: ["--rack-index", url(from)],
      targetWords: ["--rack-store", url(to)],
    };
    const options = { ...SHARING, via: tunnel(words), shares: false };
    await moveWhile(options, () => undefined, finishWhole);
  });

  it("arrive when both servers are full", async () => {
    const redisWords = ["--maxmemory", "3mb", "--maxmemory-policy", "noeviction"];
    await moveWhile({ ...SHARING, redisWords }, () => undefined, finishWhole);
  });

  it("arrive when the store gives out something else", async () => {
    let spoiled = 0;
    await moveWhile(
      middle,
      async (move) => {
        const end = move.settled(LIMIT_MS).then(() => "over");
        while ((await Promise.race([end, sleep(20)])) !== "over") {
          spoiled += Number(await sharedOf(move).store.ask("eval", SPOIL, "0"));
        }
      },
      finishWhole,
    );
    expect(spoiled).toBeGreaterThan(0);
  });
});

/** Every page in the store becomes another one of the same length. */
const SPOIL = `
  local keys = redis.call("keys", "pagefold:page:*")
  for _, key in ipairs(keys) do
    redis.call("set", key, string.rep("?", redis.call("strlen", key)), "PX", 60000)
  end
  return #keys`;

/** Answers come late for a while. */
async function delay(server: RedisServer): Promise<void> {
  for (let time = 0; time < 8; time++) {
    server.signal("SIGSTOP");
    await sleep(400);
    server.signal("SIGCONT");
    await sleep(20);
  }
}

describe("the guests of a rack, when a tunnel dies that has claimed pages", () => {
  const middle = { ...SHARING, parameters: SLOW };
  for (const end of ["source", "target"] as const) {
    it(`arrive from other hosts when that at the ${end} is killed`, async () => {
      const strike = async (move: RackMove): Promise<void> => {
        await untilSent(sources(move)[0], MIDDLE_BYTES);
        move.moves[0].tunnel?.[end].kill("SIGKILL");
      };
      await moveWhile(middle, strike, async (move, gang) => {
        const [[broken], ...others] = await move.settled(LIMIT_MS);
        expect(broken.status).toBe("failed");
        await untilRunning(sources(move)[0]);
        for (const [i, outcomes] of others.entries()) {
          const { differing } = await move.moves[i + 1].finish(outcomes, LIMIT_MS);
          expect(differing).toEqual([0]);
        }
        await moveRest(move, gang);
      });
    });
  }

  /** The guest of the first host, which was left behind, follows the others. */
  async function moveRest(move: RackMove, gang: RackGang): Promise<void> {
    const { from, to } = gang.way;
    const [broken] = move.moves;
    await broken.tunnel?.close();
    await Promise.all(broken.targets.map((target) => target.close()));
    const options = { via: tunnel(), arrival: "stays paused" } as const;
    const way = { from: from.hosts[0], to: to.hosts[0] };
    const again = await Move.prepare(broken.sources, way, options);
    await again.begin();
    const { differing } = await again.finish(await again.settled(LIMIT_MS), LIMIT_MS);
    expect(differing).toEqual([0]);
    gang.moved({ moves: [again, ...move.moves.slice(1)] });
    await move.release();
  }
});
