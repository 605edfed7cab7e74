// Which epochs are resumed without another word: not those that the world may be ahead of.
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ReplicaStore } from "../../src/replication/store.ts";
import { replicatePrimary, resumeReplica } from "../../src/service/replicate.ts";
import type { EpochOutput } from "../../src/wire/epochheads.ts";
import { temporaryFolder } from "../support/folder.ts";
import { randomSeed, seededRandom } from "../support/random.ts";
import { guestOfFrames, ReplicaModel } from "../support/replica.ts";

const FRAMES = 20;

/** A replica whose epochs have these outputs, and an attempt to resume one. */
async function resume(outputs: readonly EpochOutput[], more: object = {}): Promise<unknown> {
  const directory = join(temporaryFolder(), "web");
  const model = new ReplicaModel(FRAMES, seededRandom(randomSeed("resume")));
  await using store = await ReplicaStore.open(directory, { identity: guestOfFrames(FRAMES) });
  await model.commitFull(store);
  for (const output of outputs) await store.commit({ ...model.run(), output });
  await store.close();
  return resumeReplica({ directory, incomingPath: join(directory, "nowhere"), ...more }).catch(
    (error: Error) => error.message,
  );
}

describe("resume", () => {
  const refused = "may be behind the world";

  it("refuses an epoch that is behind, and an older one whose output was held", async () => {
    expect(await resume(["held", "behind"])).toContain(`epoch 3 ${refused}`);
    expect(await resume(["behind"], { epoch: 2 })).toContain("--allow-behind resumes it");
    const older = await resume(["held", "held"], { epoch: 2 });
    expect(older).toContain(`epoch 2 ${refused}: what epochs up to 3 have sent has left`);
  });

  it("takes the last one that was held, any that was free, and what it is told to", async () => {
    expect(await resume(["behind", "held"])).not.toContain(refused);
    expect(await resume(["free", "held"], { epoch: 2 })).not.toContain(refused);
    expect(await resume(["behind"], { allowBehind: true })).not.toContain(refused);
  });
});

describe("a primary", () => {
  it("lets no output go that it does not hold", async () => {
    const words = { address: "unix:/nowhere", qmpPath: "/nowhere", intervalMs: 100 };
    const begun = replicatePrimary({ ...words, unprotect: true });
    await expect(begun).rejects.toMatchObject({ code: "USAGE" });
  });
});
