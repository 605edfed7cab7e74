// A gang in one process: the two ends of a session over any pair of connections, with something
// like a QEMU at the far side of each guest. It keeps what came out and what was said of it; what
// may be expected stands in the tests.
import { setImmediate as turn } from "node:timers/promises";
import { onTestFinished } from "vitest";
import { levelParameters } from "../../src/archive/levels.ts";
import { PagefoldError } from "../../src/core/errors.ts";
import { GangSource, type GangSourceOptions } from "../../src/migration/gangsource.ts";
import { serveGang } from "../../src/migration/gangtarget.ts";
import type { GangTargetOptions, GuestReturns } from "../../src/migration/gangtargetapi.ts";
import type { GuestSink } from "../../src/migration/guestdelivery.ts";
import type { GuestListener } from "../../src/migration/guesthost.ts";
import type { GuestSource } from "../../src/migration/guestsource.ts";
import type { GuestOutcome } from "../../src/migration/outcome.ts";
import type { EngineResources } from "../../src/pipeline/resources.ts";
import type { Connection } from "../../src/transport/connection.ts";
import { loopbackPair } from "../../src/transport/loopback.ts";
import { openTestEngine, resourcesOf } from "./engine.ts";
import type { SeededRandom } from "./random.ts";

/** What QEMU answers when it has all: SHUT with 0. */
export const SHUT = Uint8Array.of(0, 1, 0, 4, 0, 0, 0, 0);

/** The QEMU of a guest at the target. It runs the guest when it has `byteLength` bytes. */
export class Incoming implements GuestSink {
  readonly pieces: Uint8Array[] = [];
  receivedBytes = 0;
  hasEnded = false;
  abortReason: string | undefined;
  /** Set to hold writes up until it resolves. */
  stall: Promise<void> | undefined;
  readonly byteLength: number;
  private readonly returns: GuestReturns;

  constructor(byteLength: number, returns: GuestReturns) {
    this.byteLength = byteLength;
    this.returns = returns;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.pieces);
  }

  get runs(): boolean {
    return this.receivedBytes >= this.byteLength;
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.abortReason !== undefined) throw new Error("written to after its end");
    await this.stall;
    this.pieces.push(bytes.slice());
    const ran = this.runs;
    this.receivedBytes += bytes.length;
    if (!this.runs || ran) return;
    await this.returns.returned(SHUT);
    this.returns.returnEnded();
  }

  end(): void {
    if (this.hasEnded) throw new Error("ended twice");
    this.hasEnded = true;
    this.returns.returnEnded();
  }

  abort(reason: string): void {
    if (this.abortReason !== undefined || this.hasEnded) throw new Error("over twice");
    this.abortReason = reason;
  }
}

/** The QEMU of a guest at the source: it closes its end when it is answered. */
export class Outgoing implements GuestListener {
  readonly outcomes: GuestOutcome[] = [];
  returnedBytes = Buffer.alloc(0);
  isCommitted = false;
  guest: GuestSource | undefined;
  /** What a commit does. */
  onCommit: () => Promise<void> = async () => undefined;
  /** Resolves when nothing more will happen. */
  readonly over: Promise<GuestOutcome>;
  private settle: (outcome: GuestOutcome) => void = () => undefined;

  constructor() {
    this.over = new Promise((resolve) => {
      this.settle = resolve;
    });
  }

  returned(bytes: Uint8Array): void {
    this.returnedBytes = Buffer.concat([this.returnedBytes, bytes]);
    if (this.returnedBytes.equals(SHUT)) setImmediate(() => this.guest?.end());
  }

  returnEnded(): void {}

  async commit(): Promise<void> {
    await this.onCommit();
    this.isCommitted = true;
  }

  ended(outcome: GuestOutcome): void {
    this.outcomes.push(outcome);
    this.settle(outcome);
  }

  /** Whether the guest goes on here. */
  get runs(): boolean {
    return this.outcomes[0]?.kind === "failed";
  }
}

export interface GangSetup {
  readonly streams: readonly Uint8Array[];
  /** By default of two threads each. */
  readonly sourceEngine?: EngineResources;
  readonly targetEngine?: EngineResources;
  readonly connections?: readonly [Connection, Connection];
  readonly source?: Partial<GangSourceOptions>;
  readonly target?: Partial<GangTargetOptions>;
  /** Bytes of each stream after which the guest runs at the target; all, by default. */
  readonly runsAfter?: readonly number[];
  readonly onIncoming?: (incoming: Incoming, number: number) => void;
  /** Where guests go that are no QEMU. */
  readonly sinkOf?: (name: string, returns: GuestReturns) => GuestSink | undefined;
}

/** A session with a guest for each stream, named "vm0" … */
export interface Gang {
  readonly source: GangSource;
  /** Settles with what `serveGang` throws, or undefined. */
  readonly serving: Promise<unknown>;
  readonly incoming: Map<string, Incoming>;
  readonly outgoing: readonly Outgoing[];
  /** What `onGuestOver` was told. */
  readonly overs: { name: string; reason: string | undefined }[];
  /** Begins a guest. */
  begin(number: number): Promise<GuestSource>;
}

export async function openResources(threads = 2, memoryBytes?: number): Promise<EngineResources> {
  const options = memoryBytes === undefined ? { threads } : { threads, memoryBytes };
  return resourcesOf(await openTestEngine(options));
}

export async function openGang(setup: GangSetup): Promise<Gang> {
  const sourceEngine = setup.sourceEngine ?? (await openResources());
  const targetEngine = setup.targetEngine ?? (await openResources());
  const [left, right] = setup.connections ?? loopbackPair();
  const incoming = new Map<string, Incoming>();
  const overs: Gang["overs"] = [];
  const serving = serveGang(targetEngine, {
    connection: right,
    expects: (name) => name.startsWith("vm"),
    async sinkOf(name, returns) {
      const given = setup.sinkOf?.(name, returns);
      if (given) return given;
      const number = Number(name.slice(2));
      const byteLength = setup.runsAfter?.[number] ?? setup.streams[number].length;
      const one = new Incoming(byteLength, returns);
      incoming.set(name, one);
      setup.onIncoming?.(one, number);
      return one;
    },
    onGuestOver: (name, reason) => overs.push({ name, reason }),
    times: setup.source?.times,
    ...setup.target,
  }).catch((error: unknown) => error);
  const source = await GangSource.open(sourceEngine, {
    connection: left,
    guests: setup.streams.map((_, i) => `vm${i}`),
    levels: [levelParameters("fast")],
    firstLevel: 0,
    ...setup.source,
  });
  onTestFinished(async () => {
    await source.close();
    await serving;
  });
  const outgoing = setup.streams.map(() => new Outgoing());
  const begin = async (number: number): Promise<GuestSource> => {
    const guest = await source.guest(number, outgoing[number]);
    outgoing[number].guest = guest;
    return guest;
  };
  return { source, serving, incoming, outgoing, overs, begin };
}

/** Gives a guest its stream in pieces of up to `pieceBytes`, as long as it is not over. */
export async function feed(
  guest: GuestSource,
  bytes: Uint8Array,
  random: SeededRandom,
  pieceBytes = 300_000,
): Promise<void> {
  for (let at = 0; at < bytes.length && !guest.isOver; ) {
    // A copy, because what was given must not be looked at later.
    const piece = bytes.slice(at, at + 1 + random.int(pieceBytes));
    const room = guest.write(piece);
    if (room) await room;
    else await turn();
    piece.fill(0xdd);
    at += piece.length;
  }
}

/** Waits until something is so, for as long as the test may take. */
export async function until(what: () => boolean): Promise<void> {
  while (!what()) await turn();
}

/** What a source refuses or fails with is one line. */
export function lineOf(error: unknown): string {
  if (!(error instanceof PagefoldError)) throw new Error("not ours", { cause: error });
  if (/[\n\r]/.test(error.message)) throw new Error("not one line", { cause: error });
  return error.message;
}
