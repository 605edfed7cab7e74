// The lock of an archive: one holder at a time, and a dead one holds nothing.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { takeLock } from "../../../src/image/process/lock.ts";
import { temporaryFolder } from "../../support/folder.ts";

const newArchive = (): string => join(temporaryFolder(), "A.pfa");

const lockOf = (path: string) => takeLock(path, `${path}.lock`, "is appending");

/** The pid of a process that is gone. */
function deadPid(): number {
  const { pid } = spawnSync(process.execPath, ["-e", ""]);
  return pid;
}

describe("lock", () => {
  it("is held by one, who is named to the others", async () => {
    const path = newArchive();
    const lock = await lockOf(path);
    await expect(lockOf(path)).rejects.toMatchObject({
      code: "LOCKED",
      message: `${path}: process ${process.pid} is appending (${path}.lock)`,
    });
    await lock.release();
    await (await lockOf(path)).release();
    expect(readdirSync(join(path, ".."))).toEqual([]);
  });

  it("is given to one of many who ask at once", async () => {
    const path = newArchive();
    const asked = await Promise.allSettled(Array.from({ length: 8 }, () => lockOf(path)));
    const given = asked.filter(({ status }) => status === "fulfilled");
    const refused = asked.filter(
      (answer) => answer.status === "rejected" && answer.reason.code === "LOCKED",
    );
    expect([given.length, refused.length]).toEqual([1, 7]);
    expect(readdirSync(join(path, ".."))).toEqual(["A.pfa.lock"]);
  });

  it.each([
    ["a process that is gone", () => `${deadPid()} 123\n`],
    ["another process that had our pid", () => `${process.pid} 1\n`],
    ["nobody", () => ""],
    ["nonsense", () => "-1 x\n"],
  ])("is taken over from %s", async (_, holder) => {
    const path = newArchive();
    writeFileSync(`${path}.lock`, holder());
    const lock = await lockOf(path);
    expect(readFileSync(`${path}.lock`, "utf8")).toMatch(new RegExp(`^${process.pid} \\d+\n$`));
    await lock.release();
    expect(readdirSync(join(path, ".."))).toEqual([]);
  });

  it("says why it cannot be made", async () => {
    const path = join(temporaryFolder(), "none", "A.pfa");
    await expect(lockOf(path)).rejects.toThrow(`${path}.lock: no such file or directory`);
  });
});
