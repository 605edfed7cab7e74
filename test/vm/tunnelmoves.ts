// What the tests of the tunnel with real guests have in common: a move with certificates, what its
// reports must say, what it may not leave behind, and that no guest ever runs twice.
import { readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { Gang } from "../../scripts/vm/gang.ts";
import type { Guest } from "../../scripts/vm/guest.ts";
import type { Move, MoveOptions } from "../../scripts/vm/move.ts";
import type { MoveReport } from "../../scripts/vm/outcome.ts";
import type { TunnelOptions } from "../../scripts/vm/tunnel.ts";

/** Under emulation, on a host that others use too. */
export const LIMIT_MS = 60_000;
const LOOK_MS = 30;

/** A tunnel that is not encrypted and reports as JSON. */
export function tunnel(options: TunnelOptions = {}): TunnelOptions {
  const { words = ["--insecure"], ...others } = options;
  return { ...others, words: [...words, "--json"] };
}

/**
 * Prepares a move, and looks that no guest ever runs at both ends while `action` does what it does.
 * When that fails, the guests are where they were.
 */
export async function withMove<Result>(
  gang: Gang,
  options: MoveOptions,
  action: (move: Move) => Promise<Result>,
  guests = gang.guests,
): Promise<Result> {
  const move = await gang.prepare(options, guests);
  const watch = new RunWatch(move);
  try {
    const result = await action(move);
    await watch.stop();
    return result;
  } catch (error) {
    const fault = await watch.stop().catch((twice) => twice);
    // What cannot be cleared up after a failure is not what is to be told.
    await move.abandon().catch(() => undefined);
    throw fault ?? error;
  }
}

/** What is done in between. */
interface Interludes {
  /** All is ready and nothing moves. */
  prepared?(move: Move): Promise<unknown>;
  /** The sources are done. */
  settled?(move: Move): Promise<unknown>;
}

/** Moves the whole gang. */
export async function moveThrough(
  gang: Gang,
  options: MoveOptions,
  interludes: Interludes = {},
): Promise<{ move: Move; report: MoveReport }> {
  return withMove(gang, options, async (move) => {
    await interludes.prepared?.(move);
    await move.begin();
    const outcomes = await move.settled(LIMIT_MS);
    await interludes.settled?.(move);
    const report = await move.finish(outcomes, LIMIT_MS);
    gang.moved(move.targets);
    return { move, report };
  });
}

/**
 * Moves the guests that a broken move has left at the source, with the words of that move. The
 * gang is together again afterwards; resolves with the pages that differ.
 */
export async function moveRest(gang: Gang, broken: Move, rest: readonly Guest[]) {
  const isLeft = (i: number): boolean => rest.includes(broken.sources[i]);
  const unused = broken.targets.filter((_, i) => isLeft(i));
  await Promise.all(unused.map((target) => target.close()));
  const options = { ...broken.options, arrival: "stays paused" } as const;
  const finish = async (again: Move): Promise<number[] | undefined> => {
    await again.begin();
    const { differing } = await again.finish(await again.settled(LIMIT_MS), LIMIT_MS);
    const arrived = broken.sources.map((source, i) =>
      isLeft(i) ? again.targets[rest.indexOf(source)] : broken.targets[i],
    );
    await Promise.all(broken.sources.map((source) => source.close()));
    gang.moved(arrived);
    return differing;
  };
  return withMove(gang, options, finish, rest);
}

/** Looks again and again that no guest runs at both ends. */
export class RunWatch {
  #move: Move;
  #isOver = false;
  #looking: Promise<void>;

  constructor(move: Move) {
    this.#move = move;
    this.#looking = this.#look();
    this.#looking.catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#looking;
  }

  async #look(): Promise<void> {
    while (!this.#isOver) {
      const places = await this.#move.running();
      const twice = this.#move.sources.filter((_, i) => places[i].length > 1);
      if (twice.length > 0) throw new Error(`run twice: ${twice.map(({ name }) => name)}`);
      await sleep(LOOK_MS);
    }
  }
}

/** Resolves when the guest's processor goes on in this QEMU. */
export async function untilRunning(guest: Guest, limitMs = LIMIT_MS): Promise<void> {
  const end = Date.now() + limitMs;
  while (!(await guest.runs())) {
    if (Date.now() > end) {
      throw new Error(`${guest.name} is ${await guest.status()} after ${limitMs} ms`);
    }
    await sleep(LOOK_MS);
  }
}

/** The next event of that name. */
export async function eventOf({ qmp }: Guest, name: string): Promise<void> {
  const after = qmp.events.at(-1)?.number ?? -1;
  await qmp.event(name, { after, timeoutMs: LIMIT_MS });
}

/** Sockets of the tunnel of a move, and folders that any were made in. */
export function leftBehind({ sources, targets }: Move): string[] {
  const sockets = targets.map(({ fileName }) => `${fileName}.out`);
  const names = readdirSync(sources[0].options.folder);
  return names.filter((name) => sockets.includes(name) || name.startsWith(".pagefold-"));
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

/** What both ends have printed agrees, adds up, and with what crossed the link. */
export function expectSaneReports({ tunnel: ends, sources }: Move, { wireBytes }: MoveReport) {
  const [source, target] = [ends?.source.report, ends?.target.report];
  if (!source || !target) throw new Error("it went through no tunnel");
  for (const report of [source, target]) {
    expect(report.guests.map(({ name }) => name)).toEqual(sources.map(({ name }) => name));
    expect(report.guests.map(({ outcome }) => outcome)).toEqual(sources.map(() => "migrated"));
    const streams = report.guests.map(({ streamBytes }) => streamBytes);
    expect(sum(streams)).toBe(report.streamBytes);
    expect(sum(report.guests.map((guest) => guest.wireBytes))).toBeLessThan(report.wireBytes);
  }
  expect(target.guests.map(({ streamBytes }) => streamBytes)).toEqual(
    source.guests.map(({ streamBytes }) => streamBytes),
  );
  const pages = source.guests.map(({ pagesTransferred }) => pagesTransferred);
  expect(target.guests.map(({ pagesTransferred }) => pagesTransferred)).toEqual(pages);
  expect(sum(Object.values(source.counts ?? {}))).toBe(sum(pages));
  expect(source.streamBytes).toBeGreaterThan(sum(pages) * 4096);
  // The last words of each side are sent when the numbers have been taken, or not yet.
  expect(Math.abs(source.wireBytes - target.wireBytes)).toBeLessThan(4096);
  expect(wireBytes).toBeGreaterThan(source.wireBytes);
  expect(wireBytes).toBeLessThan(source.wireBytes * 1.2);
  for (const { totalMigrationTimeMs, handoverMs = 0, doubtMs = 0, rounds } of source.guests) {
    expect(rounds).toBeGreaterThan(0);
    expect(doubtMs).toBeGreaterThan(0);
    expect(handoverMs).toBeGreaterThanOrEqual(doubtMs);
    expect(totalMigrationTimeMs).toBeGreaterThanOrEqual(handoverMs);
    expect(source.elapsedMs).toBeGreaterThanOrEqual(totalMigrationTimeMs);
  }
}
