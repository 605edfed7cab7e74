// Power cuts, kills and failing disks at every single operation of a replica's life: what was
// acknowledged is there, whole, and the replica goes on.
import { describe, expect, it } from "vitest";
import { type Epoch, ReplicaStore } from "../../src/replication/store.ts";
import { randomSeed, type SeededRandom, seededRandom } from "../support/random.ts";
import { expectEpochs, guestOfFrames, ReplicaModel } from "../support/replica.ts";
import { SimDisk, type Trouble } from "../support/simdisk.ts";

const FRAMES = 20;
const EPOCHS = 6;
/** This one comes as a whole memory again. */
const FULL_EPOCH = 4;
const OTHER_CUTS = 3;
const identity = guestOfFrames(FRAMES);

interface Life {
  readonly model: ReplicaModel;
  readonly epochs: readonly Epoch[];
}

function lifeOf(random: SeededRandom): Life {
  const model = new ReplicaModel(FRAMES, random);
  const epochs = [model.ending()];
  while (epochs.length < EPOCHS) epochs.push(model.run(1 + random.int(12)));
  return { model, epochs };
}

/** Commits what is still to come; `acked` and `tried` say how far it came. */
async function live(
  disk: SimDisk,
  { model, epochs }: Life,
  keepEpochs: number,
  progress: Progress,
) {
  const store = await ReplicaStore.open("", { identity, files: disk, keepEpochs });
  expectBetween(store, progress);
  for (let epoch = (store.last?.epoch ?? 0) + 1; epoch <= EPOCHS; epoch++) {
    progress.tried = epoch;
    if (epoch === 1 || epoch === FULL_EPOCH) {
      const draft = await store.beginFull(epoch);
      await draft.write(0, model.memory(epoch));
      await draft.commit(epochs[epoch - 1]);
    } else {
      await store.commit(epochs[epoch - 1]);
    }
    progress.acked = epoch;
  }
  return store;
}

interface Progress {
  acked: number;
  tried: number;
  /** As it was found when it was looked at. */
  last?: number;
}

function expectBetween(store: ReplicaStore, progress: Progress): void {
  const last = store.last?.epoch ?? 0;
  const { acked, tried } = progress;
  progress.last = last;
  expect(last, "an acknowledged epoch is lost").toBeGreaterThanOrEqual(acked);
  expect(last, "an epoch is there that nobody sent").toBeLessThanOrEqual(tried);
}

/** Lives until the trouble; says whether it ever came. */
async function liveUntil(disk: SimDisk, life: Life, keepEpochs: number, progress: Progress) {
  try {
    const store = await live(disk, life, keepEpochs, progress);
    await store.settle();
    await store.close();
  } catch (error) {
    if (!disk.isCut) throw error;
  }
  return disk.isCut;
}

async function expectIntact(disk: SimDisk, life: Life, keepEpochs: number, progress: Progress) {
  const store = await ReplicaStore.open("", { identity, files: disk, keepEpochs });
  expectBetween(store, progress);
  await expectEpochs(store, life.model);
  await store.close();
}

describe.each([
  ["the power goes", 2],
  ["the power goes", 4],
  ["the process is killed", 2],
] as const)("%s at every operation, %i epochs kept", (what, keepEpochs) => {
  it("and the last acknowledged epoch is there", async () => {
    const seed = randomSeed("powercut");
    for (let at = 1, isCut = true; isCut; at++) {
      const random = seededRandom(seed + at);
      const life = lifeOf(random);
      const progress: Progress = { acked: 0, tried: 0 };
      let disk = new SimDisk();
      disk.trouble = { at, kind: "cut" };
      isCut = await liveUntil(disk, life, keepEpochs, progress);
      const revive = () =>
        what === "the process is killed" ? disk.afterKill() : disk.afterPowerCut(random);
      // The same moment, with other things that survived.
      for (let other = 0; other < OTHER_CUTS; other++) {
        await expectIntact(revive(), life, keepEpochs, { ...progress });
      }
      disk = revive();
      // Once more while it comes up again, and then whatever is left of its life.
      disk.trouble = { at: 1 + random.int(40), kind: "cut" };
      await liveUntil(disk, life, keepEpochs, progress);
      disk = revive();
      await expectIntact(disk, life, keepEpochs, progress);
      expect(await liveUntil(disk, life, keepEpochs, progress)).toBe(false);
      await expectIntact(disk, life, keepEpochs, progress);
      expect(progress.last).toBe(EPOCHS);
    }
  }, 300_000);
});

describe.each(["ENOSPC", "EIO"] as const)("%s at every operation", (kind) => {
  it("fails one commit at most with one line, and the next one works", async () => {
    const seed = randomSeed("failing");
    let failures = 0;
    for (let at = 1, disk = new SimDisk(); at === 1 || disk.operations >= at - 1; at++) {
      disk = new SimDisk();
      disk.trouble = { at, kind } satisfies Trouble;
      const life = lifeOf(seededRandom(seed + at));
      const progress = { acked: 0, tried: 0 };
      let store: ReplicaStore | undefined;
      for (let tries = 0; !store && tries < 2; tries++) {
        try {
          store = await live(disk, life, 2, progress);
        } catch (error) {
          failures++;
          const reason = kind === "EIO" ? "input/output error" : "no space left on device";
          expect(error).toMatchObject({
            code: "OUTPUT",
            message: expect.stringMatching(new RegExp(`^/sim[^\n]*: ${reason}$`)),
          });
        }
      }
      expect(progress.acked).toBe(EPOCHS);
      await store?.close();
      await expectIntact(disk.afterPowerCut(seededRandom(at)), life, 2, progress);
    }
    expect(failures).toBeGreaterThan(20);
  }, 300_000);
});

it("a store whose commit failed for want of room goes on as it is", async () => {
  const life = lifeOf(seededRandom(randomSeed("room")));
  const disk = new SimDisk();
  const store = await ReplicaStore.open("", { identity, files: disk });
  const draft = await store.beginFull(1);
  await draft.write(0, life.model.memory(1));
  await draft.commit(life.epochs[0]);
  await store.settle();
  for (let epoch = 2; epoch < FULL_EPOCH; epoch++) {
    for (let after = 1; after < 99; after++) {
      disk.trouble = { at: disk.operations + after, kind: "ENOSPC" };
      const wasLast = store.last?.epoch;
      await store.commit(life.epochs[epoch - 1]).catch((error: unknown) => {
        expect(error).toMatchObject({ code: "OUTPUT" });
        expect(store.last?.epoch).toBe(wasLast);
      });
      disk.trouble = undefined;
      await expectEpochs(store, life.model);
      if (store.last?.epoch === epoch) break;
    }
    expect(store.last?.epoch).toBe(epoch);
  }
  await store.close();
});
