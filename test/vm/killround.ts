// One migration of a gang through the tunnel in which something dies, and what must hold then for
// each guest: it never runs twice, it runs somewhere or is in doubt and somebody says so, and the
// same words work for the next try.
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { Gang } from "../../scripts/vm/gang.ts";
import type { Guest } from "../../scripts/vm/guest.ts";
import type { Move } from "../../scripts/vm/move.ts";
import { endProcess, type Tunnel } from "../../scripts/vm/tunnel.ts";
import type { SeededRandom } from "../support/random.ts";
import {
  eventOf,
  LIMIT_MS,
  leftBehind,
  moveRest,
  tunnel,
  untilRunning,
  withMove,
} from "./tunnelmoves.ts";

/** The one that may cost a guest stands last. */
export const VICTIMS = [
  "pagefold at the source",
  "pagefold at the target",
  "QEMU at the target",
  "link",
  "QEMU at the source",
] as const;
export type Victim = (typeof VICTIMS)[number];
/** `end`: in the 100 ms after a guest was paused, when its migration is decided. */
export type Moment = "way" | "end";

/** Where a guest is in the end. `gone`: its QEMU was killed when it was the only one to have it. */
export type Fate = "source" | "target" | "doubt" | "gone";

/** What the source's report calls it. */
const OUTCOMES = { source: "failed", target: "migrated", doubt: "doubt" } as const;
/** A guest has to go on within 10 s; a busy host is granted some more. */
const FATE_LIMIT_MS = 20_000;
const LATE_MS = 100;
const LOOK_MS = 30;

/** Kills one thing in the middle. A guest that is lost with its QEMU leaves the gang. */
export async function killRound(
  gang: Gang,
  { victim, moment }: { victim: Victim; moment: Moment },
  { random, totalMs }: { random: SeededRandom; totalMs: number },
): Promise<void> {
  await withMove(gang, { via: tunnel() }, async (move) => {
    const { length } = move.sources;
    // Always the last, so that the others are there for the next time.
    const hit = victim === "QEMU at the source" ? length - 1 : random.int(length);
    const [source, target] = [move.sources[hit], move.targets[hit]];
    const paused = moment === "end" ? eventOf(source, "STOP") : undefined;
    await move.begin();
    await paused;
    const delayMs = random.int(moment === "end" ? LATE_MS : totalMs / 2);
    await sleep(delayMs);
    const whose = victim.startsWith("QEMU") ? ` of ${source.name}` : "";
    const when = moment === "end" ? `after the pause of ${source.name}` : "after the begin";
    console.log(`${victim}${whose}, ${delayMs} ms ${when}`);
    if (victim === "link") await gang.link.cut();
    else if (victim === "QEMU at the source") await source.kill();
    else if (victim === "QEMU at the target") await target.kill();
    else tunnelOf(move)[victim === "pagefold at the source" ? "source" : "target"].kill("SIGKILL");
    const fates = await fatesOf(move);
    await expectEnds(move, fates);
    if (victim === "link") await gang.link.mend();
    await goOn(gang, move, fates);
  });
}

/** Settles what is in doubt, moves what was left behind, and expects that all live. */
export async function goOn(gang: Gang, move: Move, fates: readonly Fate[]): Promise<void> {
  const rest: Guest[] = [];
  for (const [i, source] of move.sources.entries()) {
    const fate = fates[i] === "doubt" ? await settleDoubt(move, i) : fates[i];
    if (fate === "source") rest.push(source);
  }
  console.log(`${fates.join(", ")}; once more: ${rest.map(({ name }) => name).join(", ")}`);
  if (rest.length > 0) expect(await moveRest(gang, move, rest)).toEqual(rest.map(() => 0));
  else {
    await Promise.all(move.sources.map((source) => source.close()));
    gang.moved(move.targets);
  }
  const lost = gang.guests.filter((_, i) => fates[i] === "gone");
  for (const guest of lost) await gang.lose(guest);
  await gang.expectAlive();
}

export function tunnelOf({ tunnel: ends }: Move): Tunnel {
  if (!ends) throw new Error("the move goes through no tunnel");
  return ends;
}

/** What becomes of each guest by itself. */
export async function fatesOf(move: Move): Promise<Fate[]> {
  const end = Date.now() + FATE_LIMIT_MS;
  return Promise.all(
    move.sources.map(async (source, i) => {
      for (;;) {
        const fate = await fateOf(move, i);
        if (fate) return fate;
        if (Date.now() > end) throw new Error(await complaint(move, source));
        await sleep(LOOK_MS);
      }
    }),
  );
}

async function fateOf(move: Move, i: number): Promise<Fate | undefined> {
  const [source, target] = [move.sources[i], move.targets[i]];
  if (tunnelOf(move).source.holders.has(source.name)) return "doubt";
  if (!source.isRunning) {
    // Whoever has ended with its source may still have been on the way.
    if (tunnelOf(move).target.isRunning) return undefined;
    return (await target.runs()) ? "target" : "gone";
  }
  const { status } = await source.qmp.execute<{ status?: string }>("query-migrate");
  if (status === "completed" && !target.isRunning) return "gone";
  if (status === "completed") return (await target.runs()) ? "target" : undefined;
  return status === "failed" && (await source.runs()) ? "source" : undefined;
}

async function complaint(move: Move, source: Guest): Promise<string> {
  const status = source.isRunning ? await source.status() : "gone";
  const said = tunnelOf(move).complaint;
  return `${source.name} is ${status} after ${FATE_LIMIT_MS} ms, and nobody says why\n${said}`;
}

/** What is left of the tunnel ends by itself, says what happened, and leaves nothing behind. */
async function expectEnds(move: Move, fates: readonly Fate[]): Promise<void> {
  const { source, target } = tunnelOf(move);
  const [sourceEnd, targetEnd] = [await source.ended(LIMIT_MS), await target.ended(LIMIT_MS)];
  expect(targetEnd, target.complaint).toBeOneOf([0, 1, "SIGKILL"]);
  if (sourceEnd === "SIGKILL") return;
  const outcomes = source.report.guests.map(({ outcome }) => outcome);
  for (const [i, fate] of fates.entries()) {
    // One that is gone was so before or after it was handed over.
    if (fate !== "gone") expect(outcomes[i], source.complaint).toBe(OUTCOMES[fate]);
    if (fate === "doubt") expect(source.stderr).toMatch(`in doubt: .*${move.sources[i].name}`);
  }
  const others = outcomes.every((outcome) => outcome === "migrated") ? 0 : 1;
  expect(sourceEnd, source.complaint).toBe(outcomes.includes("doubt") ? 4 : others);
  expect(leftBehind(move)).toEqual([]);
}

/**
 * As a user would: the guest is paused at the source until somebody has looked. If the target runs
 * it, it is quit at the source; if not, it goes on there when the process that holds it is ended.
 */
async function settleDoubt(move: Move, i: number): Promise<Fate> {
  const [source, target] = [move.sources[i], move.targets[i]];
  const holder = tunnelOf(move).source.holders.get(source.name) ?? 0;
  const end = Date.now() + FATE_LIMIT_MS;
  while (target.isRunning && !(await target.runs()) && Date.now() < end) await sleep(LOOK_MS);
  expect(await source.runs()).toBe(false);
  const isThere = await target.runs();
  if (isThere) await source.close();
  endProcess(holder);
  if (!isThere) await untilRunning(source);
  return isThere ? "target" : "source";
}
