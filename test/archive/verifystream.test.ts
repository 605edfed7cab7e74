// Verifying from a pipe: the same verdicts as for a file, without seeking.
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { verifyStream } from "../../src/archive/verifystream.ts";
import { inPieces } from "../support/engine.ts";
import { wasmPath } from "../support/kernels.ts";
import { seededRandom } from "../support/random.ts";
import { sampleArchive } from "../support/samplearchive.ts";

const parts = { storeBytes: 1 << 20, wasm: pathToFileURL(wasmPath("debug")) };
const verify = (bytes: Uint8Array) => verifyStream(inPieces(bytes, 7777), {}, parts);

describe("verify from a stream", () => {
  it.each([0, 1, 2])("finds nothing in an intact archive of generation %i", async (generation) => {
    const { bytes, images } = await sampleArchive(generation);
    const report = await verify(bytes);
    expect(report).toMatchObject({
      intact: true,
      faults: [],
      lost: [],
      checkedBytes: bytes.length,
    });
    expect(report.images.map(({ name }) => name)).toEqual(images.map(({ name }) => name));
  });

  it("finds every flipped bit of a sample", async () => {
    const { bytes } = await sampleArchive(1);
    const random = seededRandom(13);
    for (let n = 0; n < 400; n++) {
      const at = random.int(bytes.length);
      const flipped = Buffer.from(bytes);
      flipped[at] ^= 1 << random.int(8);
      const { intact } = await verify(flipped);
      expect(intact, `byte ${at}`).toBe(false);
    }
  });

  it("names the frames that are gone, and goes on", async () => {
    const { bytes } = await sampleArchive(0);
    const flipped = Buffer.from(bytes);
    // The first cluster begins behind IMAGE and the first PAGES head.
    const pages = bytes.indexOf("PFB1", 8192 + 64);
    flipped[pages + 64 + bytes.readUInt32LE(pages + 12) + 100] ^= 4;
    const report = await verify(flipped);
    expect(report.intact).toBe(false);
    expect(report.lost[0]).toMatchObject({ name: "vm0.raw", firstFrame: 1, frameCount: 4 });
    expect(report.images.find(({ name }) => name === "empty")?.intact).toBe(true);
  });

  it("finds every cut", async () => {
    const { bytes } = await sampleArchive(0);
    const random = seededRandom(14);
    for (let n = 0; n < 60; n++) {
      const length = 8192 + random.int(bytes.length - 8192);
      expect((await verify(bytes.subarray(0, length))).intact).toBe(false);
    }
    await expect(verify(Buffer.from("no archive"))).rejects.toMatchObject({ code: "FORMAT" });
  });
});
