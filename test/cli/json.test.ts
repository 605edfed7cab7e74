// The objects of --json and --progress=json: exactly one object, with the members of docs/json.md.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { imageBytes, pagefold, succeed, writeFiles } from "../support/cli.ts";
import { temporaryFolder } from "../support/folder.ts";
import { startHolder } from "../support/processes.ts";

const ONE = imageBytes(1, 70, 100);
const TWO = imageBytes(2, 64);
const COUNTS = [
  ...["zero", "uniform", "duplicateInside", "duplicateAcross"],
  ...["base", "similar", "compressed", "raw"],
];

async function folderWithArchive(): Promise<string> {
  const folder = temporaryFolder();
  writeFiles(folder, { "one.raw": ONE, "two.raw": TWO });
  await succeed(["pack", "one.raw", "two.raw", "-o", "A.pfa", "--note", "a=b"], folder);
  return folder;
}

/** The members of the object, its schema aside. */
async function objectOf(words: string[], cwd: string, schema: string) {
  const { code, stdout, stderr } = await pagefold([...words, "--json"], { cwd });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const { schema: found, ...rest } = JSON.parse(stdout.toString("utf8"));
  expect(found).toBe(`pagefold/${schema}/1`);
  return rest;
}

const members = (object: object) => Object.keys(object).sort();
const PACKED = [
  ...["archive", "counts", "elapsedMs", "images", "inputBytes", "outputBytes"],
  ...["unlistedPages", "warnings"],
];

test("pack, append and repack", async () => {
  const folder = await folderWithArchive();
  const pack = ["pack", "one.raw", "-o", "B.pfa", "--digest", "sha256"];
  const packed = await objectOf(pack, folder, "pack");
  expect(members(packed)).toEqual(PACKED);
  expect(packed).toMatchObject({ archive: "B.pfa", inputBytes: ONE.length, warnings: [] });
  expect(packed.outputBytes).toBe(readFileSync(join(folder, "B.pfa")).length);
  const [image] = packed.images;
  expect(members(image)).toEqual(
    ["name", "byteLength", "frameCount", "counts", "storedBytes", "sha256"].sort(),
  );
  expect(members(image.counts)).toEqual([...COUNTS].sort());
  expect(COUNTS.reduce((sum, key) => sum + image.counts[key], 0)).toBe(71);
  const appended = await objectOf(["append", "B.pfa", "two.raw"], folder, "append");
  expect(members(appended)).toEqual(PACKED);
  expect(appended.images).toMatchObject([{ name: "two.raw", byteLength: TWO.length }]);
  const repacked = await objectOf(["repack", "B.pfa", "-o", "C.pfa"], folder, "repack");
  expect(members(repacked)).toEqual(PACKED);
  expect(repacked.images).toHaveLength(2);
});

test("unpack and verify", async () => {
  const folder = await folderWithArchive();
  const unpacked = await objectOf(["unpack", "A.pfa", "-C", "out"], folder, "unpack");
  expect(members(unpacked)).toEqual(
    ["archive", "directory", "images", "lost", "writtenBytes", "elapsedMs", "warnings"].sort(),
  );
  expect(unpacked.images[0]).toEqual({
    name: "one.raw",
    path: "out/one.raw",
    format: "raw",
    byteLength: ONE.length,
  });
  const verified = await objectOf(["verify", "A.pfa"], folder, "verify");
  expect(members(verified)).toEqual(
    [
      "archive",
      "intact",
      "images",
      "faults",
      "lost",
      "checkedBytes",
      "elapsedMs",
      "warnings",
    ].sort(),
  );
  expect(verified).toMatchObject({ intact: true, faults: [], lost: [] });
  expect(verified.images[1]).toEqual({ name: "two.raw", byteLength: TWO.length, intact: true });
});

test("list and inspect", async () => {
  const folder = await folderWithArchive();
  const listed = await objectOf(["list", "A.pfa"], folder, "list");
  expect(members(listed)).toEqual(["archive", "byteLength", "generation", "images"]);
  const [image] = listed.images;
  expect(image).toMatchObject({
    name: "one.raw",
    format: "raw",
    frameCount: 71,
    notes: { a: "b" },
  });
  expect(image.checksum).toMatch(/^[0-9a-f]{32}$/);
  expect(image.clustersPerMiB).toBeGreaterThan(0);
  expect(image.exclusiveBytes).toBeGreaterThan(0);
  const inspected = await objectOf(["inspect", "A.pfa"], folder, "inspect-archive");
  expect(inspected.imageBytes).toBe(ONE.length + TWO.length);
  expect(inspected.usage.map(({ name }: { name: string }) => name)).toEqual(["one.raw", "two.raw"]);
});

test("inspect of images: the kinds of pages add up", async () => {
  const folder = await folderWithArchive();
  const { images, total } = await objectOf(["inspect", "one.raw", "two.raw"], folder, "inspect");
  for (const image of [...images, total]) {
    const { zero, uniform, duplicateInside, duplicateAcross, distinct, similar } = image;
    expect(zero + uniform + duplicateInside + duplicateAcross + distinct).toBe(image.frameCount);
    expect(similar).toBeLessThanOrEqual(distinct);
  }
  expect(total).toMatchObject({ frameCount: 135, byteLength: ONE.length + TWO.length });
  expect(total.zero).toBe(17);
});

test("capture", async () => {
  const folder = temporaryFolder();
  const pid = await startHolder(1 << 16);
  const found = await objectOf(["capture", String(pid), "-o", "c"], folder, "capture");
  expect(found).toMatchObject({ pid, path: "c", format: "elf", pausedMs: 0, warnings: [] });
  expect(found.mappings[0].address).toMatch(/^0x[0-9a-f]+$/);
  expect(members(found.mappings[0])).toEqual(
    ["address", "memoryBytes", "byteOffset", "byteLength", "permissions", "name"].sort(),
  );
});

test("--progress=json is one object a line, the failure included", async () => {
  const folder = await folderWithArchive();
  const words = ["pack", "one.raw", "two.raw", "-o", "A.pfa", "--progress=json"];
  const failed = await pagefold(words, { cwd: folder });
  expect(failed.code).toBe(1);
  expect(JSON.parse(failed.stderr)).toEqual({
    schema: "pagefold/error/1",
    code: "OUTPUT",
    message: "A.pfa: file exists (use -f to replace it)",
  });
  const { code, stderr } = await pagefold([...words, "-f"], { cwd: folder });
  expect(code).toBe(0);
  const lines = stderr
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  for (const line of lines) expect(line).toMatchObject({ schema: "pagefold/progress/1" });
  const { verb, doneBytes, totalBytes } = lines.at(-1);
  expect(verb).toBe("pack");
  expect(doneBytes).toBe(totalBytes);
  // Whole pages are counted, so a partial last one makes it more.
  expect(doneBytes).toBeGreaterThanOrEqual(ONE.length + TWO.length);
});
