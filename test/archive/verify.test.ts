// What verifying finds: every flipped bit, and exactly the frames that are gone.
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import type { VerifyReport } from "../../src/api.ts";
import { verifyArchive } from "../../src/archive/verify.ts";
import { BatchType } from "../../src/wire/batch.ts";
import { ArchiveBuilder } from "../support/archivebuilder.ts";
import { wasmPath } from "../support/kernels.ts";
import { randomSeed, seededRandom } from "../support/random.ts";
import { accessTo, sampleArchive, sampleBuilder, stored } from "../support/samplearchive.ts";

/** The debug build: hostile bytes must not reach an assertion of the kernels. */
const wasm = pathToFileURL(wasmPath("debug"));
const verify = (bytes: Uint8Array): Promise<VerifyReport> =>
  verifyArchive(accessTo(bytes), "A.pfa", {}, wasm);

/** Batches of an intact archive, by their headers. */
function batchesOf(bytes: Buffer): { type: number; at: number; headBytes: number; end: number }[] {
  const batches = [];
  for (let at = 8192; at < bytes.length; ) {
    const headBytes = bytes.readUInt32LE(at + 12);
    const end = at + 64 + headBytes + Number(bytes.readBigUInt64LE(at + 16));
    batches.push({ type: bytes[at + 4], at, headBytes, end });
    at = end;
  }
  return batches;
}

describe("verify", () => {
  it.each([0, 1, 2])("finds nothing in an intact archive of generation %i", async (generation) => {
    const { bytes, images } = await sampleArchive(generation);
    const report = await verify(bytes);
    expect(report).toMatchObject({
      intact: true,
      faults: [],
      lost: [],
      checkedBytes: bytes.length,
    });
    expect(report.images).toEqual(
      images.map(({ name, byteLength }) => ({ name, byteLength, intact: true })),
    );
  });

  it("finds nothing in an archive that was appended to", async () => {
    const builder = await sampleBuilder();
    builder.finish(1);
    const added = builder.beginImage("later");
    builder.addPages(added, 0, [stored(), { kind: "zero" }]);
    builder.endImage(added);
    const bytes = builder.finish(2);
    expect(await verify(bytes)).toMatchObject({ intact: true, faults: [], lost: [] });
    const longer = Buffer.concat([bytes, Buffer.from("not committed")]);
    expect(await verify(longer)).toMatchObject({ intact: true, checkedBytes: bytes.length });
  });

  it.each([0, 1])(
    "finds a flipped bit in any byte (generation %i)",
    async (generation) => {
      const { bytes } = await sampleArchive(generation);
      // All bytes of headers and heads, and of superblocks and payloads some others in each run. A
      // piped archive differs in superblocks and footer alone.
      const random = seededRandom(randomSeed("flipped bits"));
      const oneOf = generation === 0 ? 61 : 8;
      const near = new Set<number>();
      for (const { at, headBytes } of batchesOf(bytes)) {
        for (let i = at; i < at + 64 + headBytes + 24; i++) near.add(i);
      }
      const missed: number[] = [];
      for (let at = 0; at < bytes.length; at++) {
        if (!near.has(at) && at % 4096 > 60 && random.int(oneOf) > 0) continue;
        const flipped = Buffer.from(bytes);
        flipped[at] ^= 1 << (at % 8);
        const report = await verify(flipped).catch((error) => error);
        if (report.intact !== false) missed.push(at);
      }
      expect(missed.slice(0, 20)).toEqual([]);
    },
    240_000,
  );

  it("loses no frame when a head, the index or the directory is damaged", async () => {
    const { bytes } = await sampleArchive(1);
    for (const { type, at } of batchesOf(bytes)) {
      const damaged = Buffer.from(bytes);
      damaged[at + 70] ^= 0x10;
      const report = await verify(damaged);
      expect(report.lost, `type ${type} at ${at}`).toEqual([]);
      expect(report.faults.length).toBeGreaterThan(0);
      expect(report.images.map(({ intact }) => intact)).toEqual([true, true, true]);
    }
  });

  it("names the frames of a damaged cluster, in every image that uses it", async () => {
    const { bytes } = await sampleArchive(1);
    const pages = batchesOf(bytes).find(({ type }) => type === BatchType.PAGES);
    const damaged = Buffer.from(bytes);
    damaged[(pages as { end: number }).end - 1] ^= 1;
    const report = await verify(damaged);
    expect(report.faults).toEqual(["cluster 1: wrong checksum"]);
    // Cluster 1 holds frames 5 and 6 of vm0; nothing else refers to it.
    expect(report.lost).toEqual([
      { name: "vm0.raw", firstFrame: 5, frameCount: 2, reason: "cluster 1: wrong checksum" },
    ]);
    const first = Buffer.from(bytes);
    const { at, headBytes } = pages as { at: number; headBytes: number };
    first[at + 64 + headBytes + 30] ^= 1;
    const both = await verify(first);
    const lostFrames = both.lost.map(({ name, firstFrame, frameCount }) => {
      return [name, firstFrame, frameCount];
    });
    // Cluster 0 holds frames 1–4 of vm0, which its deltas at 10 and 11 and vm1 need too.
    expect(lostFrames).toEqual([
      ["vm0.raw", 1, 4],
      ["vm0.raw", 10, 2],
      ["sub/vm1.elf", 1, 2],
    ]);
    expect(both.images.map(({ intact }) => intact)).toEqual([false, false, true]);
  });

  it("takes what is left when directory and a PAGES head are gone", async () => {
    const { bytes, images } = await sampleArchive(1);
    const damaged = Buffer.from(bytes);
    for (const { type, at } of batchesOf(bytes)) {
      if (type === BatchType.DIRECTORY) damaged[at + 80] ^= 1;
    }
    const second = batchesOf(bytes).filter(({ type }) => type === BatchType.PAGES)[1];
    damaged[second.at + 66] ^= 1;
    const report = await verify(damaged);
    expect(report.images.map(({ name }) => name)).toEqual(images.map(({ name }) => name));
    expect(report.lost).toMatchObject([{ name: "vm0.raw", firstFrame: 9, frameCount: 3 }]);
  });

  it("finds its way behind a hole in the middle", async () => {
    const { bytes } = await sampleArchive(1);
    const batches = batchesOf(bytes);
    const [first, second] = batches.filter(({ type }) => type === BatchType.PAGES);
    const damaged = Buffer.from(bytes);
    damaged.fill(0, first.at + 10, second.at + 50);
    const report = await verify(damaged);
    expect(report.intact).toBe(false);
    expect(report.faults).toContain(`bytes ${first.at} to ${second.end}: not read`);
    expect(report.lost.every(({ frameCount }) => frameCount > 0)).toBe(true);
  });

  it("is not led astray by batches inside of stored pages", async () => {
    const inner = (await sampleArchive(1)).bytes;
    const builder = await ArchiveBuilder.create();
    const image = builder.beginImage("nested.raw");
    const page = (n: number) => new Uint8Array(inner.subarray(n * 4096, (n + 1) * 4096));
    builder.addPages(image, 0, [stored(page(2)), stored(page(3)), stored(page(4))]);
    builder.addPages(image, 3, [stored()]);
    builder.endImage(image);
    const bytes = builder.finish(1);
    const [first] = batchesOf(bytes).filter(({ type }) => type === BatchType.PAGES);
    const damaged = Buffer.from(bytes);
    damaged[first.at + 8] ^= 1;
    const report = await verify(damaged);
    expect(report.lost).toEqual([]);
    expect(report.faults).toContain(`bytes ${first.at} to ${first.end}: not read`);
  });

  it("verifies what is left of a truncated archive", async () => {
    for (const generation of [0, 1]) {
      const { bytes } = await sampleArchive(generation);
      for (const length of [bytes.length - 1, bytes.length >> 1, 8300, 8192, 5000]) {
        const report = await verify(bytes.subarray(0, length));
        expect(report.intact, `${length}`).toBe(false);
        expect(report.faults[0]).toMatch("truncated");
      }
    }
  });

  it("refuses what is no archive, and hears the signal", async () => {
    await expect(verify(Buffer.alloc(9000))).rejects.toMatchObject({ code: "FORMAT" });
    const { bytes } = await sampleArchive(1);
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(verifyArchive(accessTo(bytes), "A.pfa", { signal })).rejects.toThrow("enough");
  });
});
