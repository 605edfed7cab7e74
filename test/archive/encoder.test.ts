// Rounds of pages into a stream and back: what decoders and archives make of it, that it does not
// depend on workers, and that nobody runs ahead of who takes the pieces.
import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Engine } from "../../src/api.ts";
import { openArchive } from "../../src/archive/reader.ts";
import { inPieces, openTestEngine } from "../support/engine.ts";
import { mixed, noise, textPage } from "../support/images.ts";
import { randomSeed, seededRandom } from "../support/random.ts";
import { dirtySome, sinkInto, sourceOf, takeAll } from "../support/rounds.ts";
import { accessTo } from "../support/samplearchive.ts";

const PAGE = 4096;
/** Enough for a ring of stored clusters, and too little. */
const WITH_RING = 224 << 20;
const WITHOUT_RING = 96 << 20;

/** Encodes `roundCount` rounds of images that change; returns all bytes and the images at last. */
async function encodeRounds(engine: Engine, seed: number, pageCounts: number[], roundCount = 3) {
  const random = seededRandom(seed);
  const images = pageCounts.map((pageCount) => mixed(random, pageCount));
  const parts: Uint8Array<ArrayBuffer>[] = [];
  await using encoder = engine.encoder();
  for (let round = 0; round < roundCount; round++) {
    for (const [i, image] of images.entries()) {
      if (round === 0) {
        await takeAll(encoder.stream(`vm${i}`, sourceOf(image)), parts);
        continue;
      }
      const dirty = dirtySome(random, image, [0, 0.02, 0.5][random.int(3)]);
      await takeAll(encoder.stream(`vm${i}`, sourceOf(image), { dirty }), parts);
    }
  }
  const streamBytes = Buffer.concat(parts).length;
  await takeAll(encoder.finish(), parts);
  return { bytes: Buffer.concat(parts), streamBytes, parts, images };
}

async function decode(engine: Engine, bytes: Uint8Array, takesZeros: boolean) {
  const images = new Map<string, Buffer>();
  await using decoder = engine.decoder();
  await decoder.decode(inPieces(bytes, 10_007), (name, frameCount = 0) => {
    const image = Buffer.alloc(frameCount * PAGE, 0xa5);
    images.set(name, image);
    return sinkInto(image, takesZeros);
  });
  return images;
}

describe("encoder", () => {
  it("gives decoders and archives what the images are in the end", async () => {
    const engine = await openTestEngine({ memoryBytes: WITH_RING });
    const seed = randomSeed("encoder");
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.boolean(), async (salt, takesZeros) => {
        const pageCounts = [1 + (salt & 1023), 700];
        const { bytes, streamBytes, images } = await encodeRounds(engine, salt, pageCounts);
        const decoded = await decode(engine, bytes, takesZeros);
        const unfinished = await decode(engine, bytes.subarray(0, streamBytes), takesZeros);
        const archive = await openArchive(accessTo(bytes));
        expect((await archive.verify()).faults).toEqual([]);
        for (const [i, image] of images.entries()) {
          expect(decoded.get(`vm${i}`)?.equals(image)).toBe(true);
          expect(unfinished.get(`vm${i}`)?.equals(image)).toBe(true);
          const pages = await archive.image(`vm${i}`).readPages(0, image.length / PAGE);
          expect(image.equals(pages)).toBe(true);
        }
      }),
      { seed, numRuns: 12 },
    );
  });

  it.each([WITH_RING, WITHOUT_RING])(
    "gives the same bytes for any number of workers, with %i bytes of memory",
    async (memoryBytes) => {
      const digests = new Set<string>();
      for (const threads of [0, 1, 2]) {
        const engine = await openTestEngine({ threads, memoryBytes });
        const { bytes } = await encodeRounds(engine, 5, [12_000, 300], 4);
        digests.add(createHash("sha256").update(bytes).digest("hex"));
      }
      expect(digests.size).toBe(1);
    },
  );

  it("gives the same bytes when the ring has come round several times", async () => {
    const digests = new Set<string>();
    const random = seededRandom(17);
    // Noise does not shrink: 100 MiB go through a ring of 70 MiB.
    const image = Buffer.concat([noise(random, 24_000), mixed(random, 1000)]);
    image.copy(image, 20_000 * PAGE, 0, 600 * PAGE);
    for (const threads of [0, 2]) {
      const engine = await openTestEngine({ threads, memoryBytes: WITH_RING });
      await using encoder = engine.encoder();
      const hash = createHash("sha256");
      for await (const piece of encoder.stream("vm", sourceOf(image))) hash.update(piece);
      const dirty = new Uint8Array(25_000 / 8).fill(0x11);
      for (let at = 7; at < image.length; at += 4 * PAGE) image[at] ^= 1;
      for await (const piece of encoder.stream("vm", sourceOf(image), { dirty })) {
        hash.update(piece);
      }
      digests.add(hash.digest("hex"));
      for (let at = 7; at < image.length; at += 4 * PAGE) image[at] ^= 1;
    }
    expect(digests.size).toBe(1);
  });

  it("gives private pieces", async () => {
    const engine = await openTestEngine();
    const { parts } = await encodeRounds(engine, 3, [600]);
    expect(parts.length).toBeGreaterThan(3);
    for (const { buffer } of parts) expect(buffer).toBeInstanceOf(ArrayBuffer);
  });

  it("stores a changed page as what has changed", async () => {
    const engine = await openTestEngine({ memoryBytes: WITH_RING });
    const random = seededRandom(8);
    const image = Buffer.concat(Array.from({ length: 2048 }, () => textPage(random)));
    await using encoder = engine.encoder();
    const first = await takeAll(encoder.stream("vm", sourceOf(image)));
    const dirty = new Uint8Array(256);
    for (let frame = 0; frame < 2048; frame += 16) {
      dirty[frame >> 3] |= 1 << (frame & 7);
      image[frame * PAGE + 1000] ^= 0x55;
    }
    const second = await takeAll(encoder.stream("vm", sourceOf(image), { dirty }));
    expect(first).toBeGreaterThan(1 << 20);
    expect(second).toBeLessThan(128 * 40);
    expect(
      await takeAll(encoder.stream("vm", sourceOf(image), { dirty: new Uint8Array(256) })),
    ).toBeLessThan(200);
  });

  it("does not read far ahead of who takes its pieces", async () => {
    const engine = await openTestEngine({ threads: 1 });
    await using encoder = engine.encoder();
    const source = sourceOf(noise(seededRandom(2), 10_000));
    const pieces = encoder.stream("vm", source)[Symbol.asyncIterator]();
    await pieces.next();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(source.reads).toBeLessThan(12);
    await pieces.return?.();
    await expect(takeAll(encoder.stream("vm", source))).rejects.toThrow("not read to its end");
  });

  it("ends with the reason of its signal, and with what its source fails with", async () => {
    const engine = await openTestEngine();
    const image = noise(seededRandom(2), 3000);
    for (const isAborted of [true, false]) {
      await using encoder = engine.encoder();
      const abort = new AbortController();
      const source = sourceOf(image);
      const { read } = source;
      source.read = async (frame, count, into) => {
        if (frame < 1024) return read.call(source, frame, count, into);
        if (!isAborted) throw new Error("the guest is gone");
        abort.abort(new Error("enough"));
      };
      const reading = takeAll(encoder.stream("vm", source, { signal: abort.signal }));
      await expect(reading).rejects.toThrow(isAborted ? "enough" : "the guest is gone");
    }
    // Memory is given back: one encoder after another takes what it needs.
    await encodeRounds(engine, 1, [300]);
  });

  it("refuses a name that cannot become a file", async () => {
    const engine = await openTestEngine();
    await using encoder = engine.encoder();
    const round = encoder.stream("../vm", sourceOf(Buffer.alloc(PAGE)));
    await expect(takeAll(round)).rejects.toThrow('contains ".."');
  });

  it("refuses dirty bits at first, other lengths and rounds at the same time", async () => {
    const engine = await openTestEngine();
    const source = sourceOf(Buffer.alloc(20 * PAGE, 1));
    const dirty = new Uint8Array(3);
    for (const [other, bits, message] of [
      [sourceOf(Buffer.alloc(PAGE)), undefined, "1 frames, it began with 20"],
      [source, dirty.subarray(0, 2), "2 bytes of dirty bits for 20 frames"],
    ] as const) {
      await using encoder = engine.encoder();
      await takeAll(encoder.stream("vm", source));
      const round = encoder.stream("vm", other, bits ? { dirty: bits } : {});
      await expect(takeAll(round)).rejects.toThrow(message);
    }
    {
      await using encoder = engine.encoder();
      await expect(takeAll(encoder.stream("vm", source, { dirty }))).rejects.toThrow("all frames");
    }
    await using third = engine.encoder();
    const first = third.stream("a", source)[Symbol.asyncIterator]();
    await first.next();
    await expect(takeAll(third.stream("b", source))).rejects.toThrow("another round is running");
    await first.return?.();
  });

  it("takes images without frames", async () => {
    const engine = await openTestEngine();
    const { bytes } = await encodeRounds(engine, 1, [0, 5]);
    expect((await decode(engine, bytes, true)).get("vm0")?.length).toBe(0);
    expect((await (await openArchive(accessTo(bytes))).verify()).intact).toBe(true);
  });
});
