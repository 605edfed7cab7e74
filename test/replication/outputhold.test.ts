// What the world has heard of a guest, and what its backup knows of it at that moment.
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { CaptureSink, EpochSourceOptions } from "../../src/replication/capture.ts";
import { OutputFilters } from "../../src/replication/outputfilters.ts";
import { CheckpointPrimary, type EpochReport } from "../../src/replication/primary.ts";
import { FakeNetwork } from "../support/fakenetwork.ts";
import { temporaryFolder } from "../support/folder.ts";
import { MadeBackup } from "../support/madebackup.ts";
import { MadeGuest } from "../support/madeguest.ts";
import { randomSeed, type SeededRandom, seededRandom } from "../support/random.ts";

const LIMIT_MS = 60_000;

/** It sends numbers all the time; every epoch knows how far it was. */
class TalkingGuest extends MadeGuest {
  readonly network = new FakeNetwork();
  /** By the memory of an epoch: numbers that were sent before. */
  readonly known = new Map<string, number>();
  private sent = 0;

  constructor(random: SeededRandom) {
    super(random, [60]);
  }

  talk(): void {
    this.network.send(this.sent++);
  }

  /** How many numbers the world has heard, all from the first on. */
  get heard(): number {
    const heard = this.network.heard.get("net0") as number[];
    expect(heard.at(-1) ?? -1).toBe(heard.length - 1);
    return heard.length;
  }

  override async epoch(sink: CaptureSink, options: EpochSourceOptions) {
    this.talk();
    const epoch = await super.epoch(sink, {
      justBefore: async () => {
        await options.justBefore?.();
        // It runs on until its moment.
        this.talk();
        this.work(1);
      },
    });
    this.known.set(keyOf(this.epochs.at(-1) as Uint8Array), this.sent);
    this.talk();
    return epoch;
  }

  /** Numbers that a guest with this memory has sent. */
  knownTo(memory: Uint8Array): number {
    return this.known.get(keyOf(memory)) ?? Number.NaN;
  }
}

const keyOf = (memory: Uint8Array): string => Buffer.from(memory).toString("latin1");

interface Setting {
  guest: TalkingGuest;
  backup: MadeBackup;
  unprotect?: boolean;
  onLost?: (reason: string) => void;
  isEnough: (reports: readonly EpochReport[]) => boolean;
}

async function replicate({ guest, backup, isEnough, unprotect, onLost }: Setting) {
  const over = new AbortController();
  const reports: EpochReport[] = [];
  using output = await OutputFilters.open(guest.network.qmp, ["net0"]);
  const primary = new CheckpointPrimary({
    source: guest,
    output,
    unprotect,
    connect: backup.connect,
    intervalMs: 5,
    retryMs: 5,
    onLost,
    onEpoch(report) {
      reports.push(report);
      if (isEnough(reports)) over.abort();
    },
  });
  await primary.run(over.signal);
  await backup.ended();
  return reports;
}

describe("output that is held", { timeout: LIMIT_MS }, () => {
  it("is free until the backup has a memory, then never ahead of it", async () => {
    const guest = new TalkingGuest(seededRandom(randomSeed("output held")));
    const backup = new MadeBackup(temporaryFolder());
    const heard: number[] = [];
    const reports = await replicate({
      guest,
      backup,
      isEnough(all) {
        heard.push(guest.heard);
        return all.length === 8;
      },
    });
    const states = reports.map(({ output }) => output);
    expect(states.indexOf("held")).toBeGreaterThan(0);
    expect(new Set(states.slice(states.indexOf("held")))).toEqual(new Set(["held"]));
    // What was sent before an epoch has left when it is durable.
    for (const [i, count] of heard.entries()) {
      const known = guest.knownTo(guest.epochs[i]);
      if (states[i] === "held") expect(count).toBeLessThanOrEqual(known);
      expect(count).toBeGreaterThanOrEqual(known - 1);
    }
    const { memory } = await backup.memory(guest.frameCount);
    expect(guest.heard).toBeLessThanOrEqual(guest.knownTo(memory));
  });

  it("stays held while the backup is lost at any moment, and after the end", async () => {
    const random = seededRandom(randomSeed("output losses"));
    const guest = new TalkingGuest(random);
    const backup = new MadeBackup(temporaryFolder());
    const lost: string[] = [];
    let isOver = false;
    const cut = async (): Promise<void> => {
      while (!isOver) {
        await sleep(20 + random.int(100));
        backup.connection?.destroy(new Error("cut"));
        const before = guest.heard;
        for (let i = 0; i < 5; i++) guest.talk();
        if (lost.length > 3) expect(guest.heard).toBe(before);
      }
    };
    const cutting = cut();
    const onLost = (reason: string): void => void lost.push(reason);
    const isEnough = ({ length }: readonly EpochReport[]): boolean => length >= 25;
    const reports = await replicate({ guest, backup, onLost, isEnough });
    isOver = true;
    await cutting;
    expect(reports.at(-1)?.output).toBe("held");
    expect(lost.some((reason) => /output of the guest is held, for \d/.test(reason))).toBe(true);
    expect(lost.at(-1)).toBe("output of the guest stays held until it is released");
    const { memory } = await backup.memory(guest.frameCount);
    expect(guest.heard).toBeLessThanOrEqual(guest.knownTo(memory));
    expect(guest.network.filterCount).toBeGreaterThan(0);
  });

  it("goes on without a backup where that is allowed, and every epoch says so", async () => {
    const guest = new TalkingGuest(seededRandom(randomSeed("output unprotected")));
    const backup = new MadeBackup(temporaryFolder());
    const lost: string[] = [];
    const reports = await replicate({
      guest,
      backup,
      unprotect: true,
      onLost(reason) {
        lost.push(reason);
        guest.talk();
        expect(guest.network.filterCount).toBe(0);
      },
      isEnough({ length }) {
        if (length === 4) {
          expect(guest.network.filterCount).toBeGreaterThan(0);
          backup.connection?.destroy(new Error("cut"));
        }
        return length === 8;
      },
    });
    expect(new Set(reports.map(({ output }) => output))).toEqual(new Set(["behind"]));
    expect(lost[0]).toMatch(/; the guest goes on unprotected: its output is not held$/);
    expect(guest.network.filterCount).toBe(0);
  });

  it("ends replication when the guest's monitor fails, and is not let go", async () => {
    const guest = new TalkingGuest(seededRandom(randomSeed("output failing")));
    const backup = new MadeBackup(temporaryFolder());
    const replicated = replicate({
      guest,
      backup,
      isEnough({ length }) {
        if (length === 5) guest.network.failure = new Error("the monitor is closed");
        return false;
      },
    });
    await expect(replicated).rejects.toThrow("the monitor is closed");
    expect(guest.network.filterCount).toBeGreaterThan(0);
  });

  it("needs a source of epochs that says when", async () => {
    const guest = new TalkingGuest(seededRandom(1));
    guest.epoch = (sink) => MadeGuest.prototype.epoch.call(guest, sink);
    const backup = new MadeBackup(temporaryFolder());
    const replicated = replicate({ guest, backup, isEnough: () => true });
    await expect(replicated).rejects.toThrow("does not say when output ends");
  });
});
