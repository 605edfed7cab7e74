// A process of its own that keeps a replica: "run" commits epoch after epoch, says so, and waits to
// be killed; "fill" does it on a small disk that it fills up before every commit.
import assert from "node:assert/strict";
import { rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ReplicaStore } from "../../src/replication/store.ts";
import { seededRandom } from "./random.ts";
import { expectEpochs, guestOfFrames, ReplicaModel } from "./replica.ts";

export const LIFE_FRAMES = 300;
const RUN_EPOCHS = 400;
const FILL_EPOCHS = 25;

/** Commits the epochs of `model` from the one that follows the last; says each that is durable. */
async function run(store: ReplicaStore, model: ReplicaModel): Promise<void> {
  const last = store.last?.epoch ?? 0;
  if (last === 0) await model.commitFull(store);
  while (model.epoch < RUN_EPOCHS) {
    const epoch = model.run();
    if (epoch.epoch <= last) continue;
    await store.commit(epoch);
    console.log(`epoch ${epoch.epoch}`);
  }
}

/** Leaves a little more room on the disk before every try, until the commit works. */
async function fill(store: ReplicaStore, model: ReplicaModel, folder: string): Promise<void> {
  const ballast = join(folder, "..", "ballast");
  let refusals = 0;
  await model.commitFull(store);
  while (model.epoch < FILL_EPOCHS) {
    await store.settle();
    const epoch = model.run(30);
    for (let room = 0; store.last?.epoch !== epoch.epoch; room += 8192) {
      const { bsize, bavail } = statfsSync(folder);
      writeFileSync(ballast, new Uint8Array(Math.max(0, bsize * bavail - room)));
      try {
        await store.commit(epoch);
      } catch (error) {
        refusals++;
        assert.match(
          (error as Error).message,
          /^[^\n]*epoch-\d+\.redo\S*: no space left on device$/,
        );
      }
      // What was committed can be read on the full disk too.
      await using reader = await store.read(store.last?.epoch ?? 0);
      await reader.verify();
      rmSync(ballast);
    }
    await expectEpochs(store, model);
  }
  console.log(`${refusals} refusals`);
}

const [what, folder, seed] = process.argv.slice(2);
if (what === "run" || what === "fill") {
  const identity = guestOfFrames(LIFE_FRAMES);
  const model = new ReplicaModel(LIFE_FRAMES, seededRandom(Number(seed)));
  const store = await ReplicaStore.open(folder, { identity });
  if (what === "run") await run(store, model);
  else await fill(store, model, folder);
  await store.close();
}
