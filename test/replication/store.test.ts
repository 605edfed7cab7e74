// The backup store as its users see it: epochs go in, memories of kept epochs come out, and every
// refusal says why.
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PAGE_BYTES } from "../../src/core/page.ts";
import { ReplicaStore } from "../../src/replication/store.ts";
import { replicaStatus } from "../../src/replication/storestatus.ts";
import { temporaryFolder } from "../support/folder.ts";
import { randomSeed, seededRandom } from "../support/random.ts";
import { expectEpochs, guestOfFrames, patchesBetween, ReplicaModel } from "../support/replica.ts";

const FRAMES = 300;
const identity = guestOfFrames(FRAMES);

async function started(folder: string, seed: number, keepEpochs = 2) {
  const model = new ReplicaModel(FRAMES, seededRandom(seed));
  const store = await ReplicaStore.open(folder, { identity, keepEpochs });
  await model.commitFull(store);
  return { model, store };
}

describe("a replica", () => {
  it.each([2, 3, 5])("keeps the last %i epochs, closed and opened at will", async (keepEpochs) => {
    const folder = join(temporaryFolder(), "web");
    const random = seededRandom(randomSeed("store"));
    let { model, store } = await started(folder, random.int(2 ** 31), keepEpochs);
    for (let round = 0; round < 12; round++) {
      await store.commit(model.run(1 + random.int(30)));
      if (random.int(3) === 0) await expectEpochs(store, model);
      if (random.int(3) === 0) {
        await store.close();
        store = await ReplicaStore.open(folder, { keepEpochs });
      }
    }
    await expectEpochs(store, model);
    expect(store.last?.epoch).toBe(13);
    expect(store.oldest).toBe(14 - keepEpochs);
    await store.close();
    expect(readdirSync(folder).length).toBe(3 + keepEpochs + (keepEpochs - 1));
  });

  it("takes a whole memory again, and the old one is there until then", async () => {
    const { model, store } = await started(temporaryFolder(), 1);
    await store.commit(model.run());
    model.run(100);
    const draft = await store.beginFull(3);
    await draft.write(0, model.memory().subarray(0, 10 * PAGE_BYTES));
    await draft.abandon();
    await expectEpochs(store, model);
    expect(store.last?.epoch).toBe(2);
    await model.commitFull(store);
    await expectEpochs(store, model);
    expect([store.oldest, store.last?.epoch]).toEqual([3, 3]);
    await store.commit(model.run());
    await expectEpochs(store, model);
    expect([store.oldest, store.last?.epoch]).toEqual([3, 4]);
    await store.close();
  });

  it("takes pages of a full epoch in any order and again; zeros stay holes", async () => {
    const folder = temporaryFolder();
    const store = await ReplicaStore.open(folder, { identity });
    const model = new ReplicaModel(FRAMES, seededRandom(2));
    const memory = model.memory().fill(0);
    const draft = await store.beginFull(1);
    await draft.write(200, new Uint8Array(10 * PAGE_BYTES).fill(7));
    await draft.write(5, new Uint8Array(PAGE_BYTES).fill(9));
    await draft.write(203, new Uint8Array(3 * PAGE_BYTES));
    await draft.write(50, new Uint8Array(50 * PAGE_BYTES));
    memory.fill(7, 200 * PAGE_BYTES, 210 * PAGE_BYTES);
    memory.fill(9, 5 * PAGE_BYTES, 6 * PAGE_BYTES);
    memory.fill(0, 203 * PAGE_BYTES, 206 * PAGE_BYTES);
    await draft.commit(model.ending());
    await expectEpochs(store, model);
    const { size, blocks } = statSync(join(folder, "ram"));
    expect(size).toBe(FRAMES * PAGE_BYTES);
    expect(blocks * 512).toBe(11 * PAGE_BYTES);
    await store.close();
  });

  it("refuses a memory that is not what the primary said, and goes on", async () => {
    const folder = temporaryFolder();
    const { model, store } = await started(folder, 3);
    const epoch = model.run();
    const wrong = { ...epoch, checksum: new Uint8Array(16) };
    await expect(store.commit(wrong)).rejects.toMatchObject({
      code: "MISMATCH",
      message: expect.stringMatching(/epoch 2: the memory has checksum [0-9a-f]{32}, not 0{32}$/),
    });
    expect(store.last?.epoch).toBe(1);
    await expectEpochs(store, model);
    await store.commit(epoch);
    await expectEpochs(store, model);
    await store.close();
  });

  it("refuses epochs out of turn, frames that come twice, and what is no patch", async () => {
    const { model, store } = await started(temporaryFolder(), 4);
    const epoch = model.run();
    const range = { code: "RANGE" };
    await expect(store.begin(1)).rejects.toMatchObject(range);
    await expect(store.begin(3)).rejects.toThrow("epoch 3: 2 comes next");
    const draft = await store.begin(2);
    await expect(store.begin(2)).rejects.toThrow("another one has begun");
    const [patch] = patchesBetween(model.memory(1), model.memory(2));
    await draft.write(patch);
    await expect(draft.write(patch)).rejects.toThrow(/frame \d+ comes twice/);
    // What could not be written cannot be committed.
    await expect(draft.commit(epoch)).rejects.toThrow(/comes twice/);
    await expect(store.commit({ ...epoch, patches: [new Uint8Array(7)] })).rejects.toMatchObject({
      code: "DAMAGED",
    });
    await using reader = await store.read(1);
    await expect(store.begin(2)).rejects.toThrow("an epoch is being read");
    await expect(store.read(2)).rejects.toThrow("epoch 2 is not kept, 1–1 are");
    await expect(reader.read(299, 2, new Uint8Array(8192))).rejects.toMatchObject(range);
    await reader.close();
    await store.commit(epoch);
    await expectEpochs(store, model);
    await store.close();
  });

  it("is nobody's to go on with once a guest was resumed from it", async () => {
    const folder = temporaryFolder();
    const { store } = await started(folder, 9);
    await expect(store.resuming(1, () => Promise.reject(new Error("no QEMU")))).rejects.toThrow();
    expect((await replicaStatus(folder)).isResumed).toBe(false);
    await store.resuming(1, () => Promise.resolve());
    await store.close();
    expect((await replicaStatus(folder)).isResumed).toBe(true);
    await expect(ReplicaStore.open(folder, { identity })).rejects.toMatchObject({
      code: "MISMATCH",
      message: expect.stringMatching(/a guest was resumed from it.*remove .*resumed.json/),
    });
    // It can be resumed again, and read.
    await using again = await ReplicaStore.open(folder);
    expect(again.last?.epoch).toBe(1);
    await again.resuming(1, () => Promise.resolve());
    rmSync(join(folder, "resumed.json"));
    await again.close();
    await (await ReplicaStore.open(folder, { identity })).close();
  });

  it("forgets what was begun when it is closed", async () => {
    const folder = temporaryFolder();
    const { model, store } = await started(folder, 8);
    const draft = await store.begin(2);
    for (const patch of model.run().patches) await draft.write(patch);
    await store.close();
    await draft.abandon();
    await expect(draft.commit(model.ending())).rejects.toThrow("epoch 2 has ended");
    expect(readdirSync(folder).sort()).toEqual(["epoch-1.redo", "guest.json", "ram", "sums"]);
    await using again = await ReplicaStore.open(folder);
    const full = await again.beginFull(2);
    await full.write(0, model.memory());
    await again.close();
    expect(readdirSync(folder).length).toBe(4);
    await full.abandon();
  });

  it("begins with a full epoch", async () => {
    const store = await ReplicaStore.open(temporaryFolder(), { identity });
    await expect(store.begin(1)).rejects.toThrow("there is no memory yet");
    await expect(store.read(1)).rejects.toThrow("has no epoch yet");
    await store.close();
  });
});

describe("a directory", () => {
  it.each([
    ["machine", { machine: "q35" }, "machine pc-i440fx-7.2, not q35"],
    ["name", { guest: "db" }, "guest without a name, not db"],
    ["QEMU", { qemuVersion: "8.0.0" }, "QEMU 7.2.0, not 8.0.0"],
    ["a block's name", guestOfFrames(FRAMES, "ram0"), "RAM block 0 pc.ram, not ram0"],
    ["a block's size", guestOfFrames(9), "RAM block pc.ram of 1224704 bytes, not 32768"],
    ["blocks", { ramBlocks: identity.ramBlocks.slice(1) }, "2 RAM blocks, not 1"],
  ])("of another guest is refused: %s", async (_, other, difference) => {
    const folder = temporaryFolder();
    await (await started(folder, 5)).store.close();
    await expect(
      ReplicaStore.open(folder, { identity: { ...identity, ...other } }),
    ).rejects.toMatchObject({
      code: "MISMATCH",
      message: `${folder}: holds another guest: ${difference}`,
    });
    expect(readdirSync(folder)).not.toContain("lock");
  });

  it("has one writer", async () => {
    const folder = temporaryFolder();
    const { store } = await started(folder, 6);
    await expect(ReplicaStore.open(folder)).rejects.toMatchObject({
      code: "LOCKED",
      message: `${folder}: process ${process.pid} is writing to it (${folder}/lock)`,
    });
    await store.close();
    await (await ReplicaStore.open(folder)).close();
  });

  it("of something else is refused and left alone", async () => {
    const folder = temporaryFolder();
    await expect(ReplicaStore.open(folder)).rejects.toThrow(`${folder}: holds no replica`);
    writeFileSync(join(folder, "letter.txt"), "");
    await expect(ReplicaStore.open(folder, { identity })).rejects.toThrow(
      `${folder}: is not empty (letter.txt) and holds no replica`,
    );
    expect(readdirSync(folder)).toEqual(["letter.txt"]);
    await expect(ReplicaStore.open(join(folder, "none"))).rejects.toMatchObject({ code: "INPUT" });
    expect(existsSync(join(folder, "none"))).toBe(false);
    mkdirSync(join(folder, "own"));
    await (await ReplicaStore.open(join(folder, "own"), { identity })).close();
  });

  it("tells its status while it is written", async () => {
    const folder = temporaryFolder();
    const { model, store } = await started(folder, 7);
    for (let i = 0; i < 3; i++) {
      await store.commit(model.run());
      const status = await replicaStatus(folder);
      expect(status.last).toMatchObject({ epoch: i + 2, timeMs: 1000 * (i + 2) });
      expect(status.identity).toEqual(identity);
      expect(status.storedBytes).toBeGreaterThan(100 * PAGE_BYTES);
    }
    await store.settle();
    const { epochs } = await replicaStatus(folder);
    expect(epochs.map(({ epoch }) => epoch)).toEqual([3, 4]);
    await store.close();
  });
});
