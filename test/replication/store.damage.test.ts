// Flipped, missing and added bytes in every file of a replica: named with the file and the bytes,
// or of no consequence; never memory that is not what was committed.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { ReplicaStore } from "../../src/replication/store.ts";
import { temporaryFolder } from "../support/folder.ts";
import { randomSeed, seededRandom } from "../support/random.ts";
import { expectEpochs, guestOfFrames, patchesBetween, ReplicaModel } from "../support/replica.ts";

const FRAMES = 60;
const FILES = ["guest.json", "ram", "sums", "epoch-4.redo", "epoch-5.redo", "epoch-5.undo"];
const seed = randomSeed("damage");
const random = seededRandom(seed);
const model = new ReplicaModel(FRAMES, random);
const intact = new Map<string, Buffer>();

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), "pagefold-test-"));
  const store = await ReplicaStore.open(folder, { identity: guestOfFrames(FRAMES) });
  await model.commitFull(store);
  while (model.epoch < 5) await store.commit(model.run());
  await store.close();
  for (const name of readdirSync(folder)) intact.set(name, readFileSync(join(folder, name)));
  rmSync(folder, { recursive: true });
});

/** Opens and checks a replica in which one file has other bytes; resolves with what was wrong. */
async function complaintAbout(name: string, bytes: Buffer): Promise<Error | undefined> {
  const folder = temporaryFolder();
  for (const [other, content] of intact) writeFileSync(join(folder, other), content);
  writeFileSync(join(folder, name), bytes);
  try {
    await using store = await ReplicaStore.open(folder);
    expect(store.last?.epoch).toBe(5);
    await expectEpochs(store, model);
    return undefined;
  } catch (error) {
    return error as Error;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The complaint names the file and bytes among which is the one that is wrong. */
function expectNamed(complaint: Error | undefined, name: string, at: number): void {
  expect(complaint).toMatchObject({ code: expect.stringMatching(/^(DAMAGED|FORMAT)$/) });
  const { code, message } = complaint as Error & { code: string };
  expect(message).toContain(`/${name}: `);
  if (code === "FORMAT") return;
  const [, from, to] = /: bytes (\d+)–(\d+) /.exec(message) ?? [];
  expect([Number(from) <= at, at <= Number(to)], message).toEqual([true, true]);
}

it("has these files", () => {
  expect([...intact.keys()].sort()).toEqual([...FILES].sort());
});

describe.each(FILES)("%s", (name) => {
  it("has a flipped bit", async () => {
    const size = intact.get(name)?.length ?? 0;
    const places = Array.from({ length: 30 }, () => random.int(size));
    // Every byte of a head has a meaning of its own.
    if (name.startsWith("epoch")) for (let at = 0; at < 150; at++) places.push(at);
    for (const at of places) {
      const bytes = Buffer.from(intact.get(name) ?? []);
      bytes[at] ^= 1 << random.int(8);
      const complaint = await complaintAbout(name, bytes);
      // Fingerprints are made again; memory is written again where the last epoch changed it.
      if (complaint === undefined && (name === "sums" || name === "ram")) continue;
      expectNamed(complaint, name, at);
    }
  });

  it("is cut off, or goes on", async () => {
    const whole = Buffer.from(intact.get(name) ?? []);
    const cut = random.int(whole.length);
    const shorter = await complaintAbout(name, whole.subarray(0, cut));
    const longer = await complaintAbout(name, Buffer.concat([whole, Buffer.alloc(7)]));
    if (name === "sums") {
      expect([shorter, longer]).toEqual([undefined, undefined]);
      return;
    }
    expect(shorter).toMatchObject({ code: "DAMAGED" });
    expect(longer).toMatchObject({ code: "DAMAGED" });
    expect(shorter?.message).toMatch(new RegExp(`/${name}: bytes ${name === "ram" ? cut : ""}`));
    if (name !== "guest.json") {
      expect(longer?.message).toContain(`bytes ${whole.length}–${whole.length + 6} are too many`);
    }
  });

  it("is not there", async () => {
    const folder = temporaryFolder();
    for (const [other, content] of intact) {
      if (other !== name) writeFileSync(join(folder, other), content);
    }
    if (["guest.json", "ram", "epoch-5.redo"].includes(name)) {
      await expect(ReplicaStore.open(folder).then((store) => store.verify())).rejects.toMatchObject(
        { code: expect.stringMatching(/^(INPUT|OUTPUT|DAMAGED)$/) },
      );
      return;
    }
    await using store = await ReplicaStore.open(folder);
    if (name === "sums") await expectEpochs(store, model);
    await store.read(5).then((reader) => reader.close());
  });
});

it("tells which page is wrong while it runs", async () => {
  const folder = temporaryFolder();
  await using store = await ReplicaStore.open(folder, { identity: guestOfFrames(FRAMES) });
  const guest = new ReplicaModel(FRAMES, seededRandom(seed));
  await guest.commitFull(store);
  await store.settle();
  const ram = readFileSync(join(folder, "ram"));
  ram[7 * 4096 + 5] ^= 1;
  writeFileSync(join(folder, "ram"), ram);
  const line = `${folder}/ram: bytes 28672–32767 are not what was written`;
  await expect(store.verify()).rejects.toThrow(line);
  guest.run();
  guest.memory()[7 * 4096] ^= 1;
  const patches = patchesBetween(guest.memory(1), guest.memory(2));
  await expect(store.commit(guest.ending(patches))).rejects.toThrow(line);
});
