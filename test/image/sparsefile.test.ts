// Sparse output files: holes, temporary names, what is replaced and what is never replaced.
import { readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { SparseFile } from "../../src/image/sparsefile.ts";
import { temporaryFolder } from "../support/folder.ts";

describe("sparsefile: content", () => {
  test("pages of zeros become holes, all else is written", async () => {
    const path = join(temporaryFolder(), "out");
    const bytes = new Uint8Array(64 * 4096 + 100);
    bytes[0] = 1;
    bytes[3 * 4096 + 4095] = 2;
    bytes[4 * 4096] = 3;
    const file = await SparseFile.create(path);
    await file.write(4096, bytes);
    expect(file.storedBytes).toBe(3 * 4096 + 100);
    await file.commit(4096 + bytes.length + 5000);
    const read = readFileSync(path);
    expect(read.length).toBe(4096 + bytes.length + 5000);
    expect(read.subarray(4096, 4096 + bytes.length).equals(bytes)).toBe(true);
    const stats = statSync(path);
    expect(stats.mode & 0o777).toBe(0o600);
    expect(stats.blocks * 512).toBeLessThan(read.length / 2);
  });

  test("nothing is under the name before commit, nothing anywhere after discard", async () => {
    const folder = temporaryFolder();
    const file = await SparseFile.create(join(folder, "out"));
    expect(readdirSync(folder)).toEqual([`.out.tmp-${process.pid}`]);
    await file.discard();
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe("sparsefile: places", () => {
  test("an existing file is refused, or replaced with force", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "out");
    writeFileSync(path, "old");
    const refused = { code: "OUTPUT", message: `${path}: exists already` };
    await expect(SparseFile.create(path)).rejects.toMatchObject(refused);
    const file = await SparseFile.create(path, { force: true });
    await file.write(0, Buffer.from("new"));
    expect(readFileSync(path, "utf8")).toBe("old");
    await file.commit(3);
    expect(readFileSync(path, "utf8")).toBe("new");
    expect(readdirSync(folder)).toEqual(["out"]);
  });

  test("a file that appears meanwhile is not replaced", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "out");
    const file = await SparseFile.create(path);
    writeFileSync(path, "theirs");
    await expect(file.commit(10)).rejects.toMatchObject({ code: "OUTPUT" });
    await file.discard();
    expect(readFileSync(path, "utf8")).toBe("theirs");
    expect(readdirSync(folder)).toEqual(["out"]);
  });

  test("a dangling link counts as existing; force replaces the link, not its target", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "out");
    symlinkSync(join(folder, "target"), path);
    await expect(SparseFile.create(path)).rejects.toThrow("exists already");
    const file = await SparseFile.create(path, { force: true });
    await file.commit(1);
    expect(readdirSync(folder)).toEqual(["out"]);
  });

  test("neither a device nor a directory is ever replaced", async () => {
    for (const path of ["/dev/null", temporaryFolder()]) {
      const refused = SparseFile.create(path, { force: true });
      await expect(refused).rejects.toThrow(`${path}: is not a regular file`);
    }
  });

  test("a folder that is missing is named", async () => {
    const path = join(temporaryFolder(), "none", "out");
    const refused = { code: "OUTPUT", message: `${path}: no such file or directory` };
    await expect(SparseFile.create(path)).rejects.toMatchObject(refused);
  });

  test("the longest possible file name works", async () => {
    const folder = temporaryFolder();
    const name = `${"ä".repeat(127)}x`;
    const file = await SparseFile.create(join(folder, name));
    await file.commit(0);
    expect(readdirSync(folder)).toEqual([name]);
  });

  test("what a killed process left is cleared away, what is in use is refused", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "out");
    writeFileSync(join(folder, `.out.tmp-${process.pid}`), "left over");
    const file = await SparseFile.create(path);
    await expect(SparseFile.create(path)).rejects.toThrow("is already being written");
    await file.commit(2);
    expect(readFileSync(path, "latin1")).toBe("\0\0");
    expect(readdirSync(folder)).toEqual(["out"]);
  });
});
