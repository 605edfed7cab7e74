// Decoding forwards: every record kind into sinks, and no stream that is cut, flipped or out of
// order is taken for a whole one.
import { fork } from "node:child_process";
import { once } from "node:events";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { openDecoder } from "../../src/archive/streamdecoder.ts";
import type { PageSink } from "../../src/image/image.ts";
import { ArchiveBuilder } from "../support/archivebuilder.ts";
import { inPieces } from "../support/engine.ts";
import { wasmPath } from "../support/kernels.ts";
import { seededRandom } from "../support/random.ts";
import { sinkInto } from "../support/rounds.ts";
import { freshPage, sampleArchive, stored } from "../support/samplearchive.ts";

/** The debug build: hostile bytes must not reach an assertion of the kernels. */
const parts = { storeBytes: 1 << 20, wasm: pathToFileURL(wasmPath("debug")) };

async function decode(bytes: Uint8Array, pieceBytes = 5000): Promise<Map<string, Buffer>> {
  const images = new Map<string, Buffer>();
  await openDecoder(parts).decode(inPieces(bytes, pieceBytes), (name, frameCount = 64) => {
    const image = Buffer.alloc(frameCount * 4096);
    images.set(name, image);
    return sinkInto(image, false);
  });
  return images;
}

/** Two rounds of one image, with what skips leave. */
async function twoRounds(build: (builder: ArchiveBuilder, image: number) => void) {
  const builder = await ArchiveBuilder.create();
  const image = builder.beginImage("vm");
  builder.addPages(
    image,
    0,
    Array.from({ length: 8 }, () => stored()),
  );
  builder.endImage(image);
  build(builder, image);
  return builder;
}

describe("stream decoder", () => {
  it.each([0, 1, 2])("restores all records of an archive of generation %i", async (generation) => {
    const { bytes, images } = await sampleArchive(generation);
    for (const pieceBytes of [1, 100, 1 << 20]) {
      const decoded = await decode(bytes, pieceBytes);
      expect([...decoded.keys()]).toEqual(images.map(({ name }) => name));
      for (const { name, pages } of images) {
        expect(decoded.get(name)?.subarray(0, pages.length).equals(pages)).toBe(true);
      }
    }
  });

  it("passes over footers of earlier commits, and over bytes behind the end", async () => {
    const builder = await twoRounds(() => undefined);
    builder.finish(1);
    const later = builder.beginImage("later");
    const page = freshPage();
    builder.addPages(later, 0, [stored(page)]);
    builder.endImage(later);
    const bytes = Buffer.concat([builder.finish(2), Buffer.from("left by a killed append")]);
    expect((await decode(bytes)).get("later")?.subarray(0, 4096).equals(page)).toBe(true);
  });

  it("applies rounds, and checks the image after each", async () => {
    const page = freshPage();
    const builder = await twoRounds((b, image) => {
      b.addPages(image, 1, [{ kind: "zero" }, { kind: "skip" }, stored(page)]);
      b.addPages(image, 6, [{ kind: "uniform", word: 5n }]);
      b.endImage(image);
      b.endImage(image);
    });
    const decoded = await decode(builder.finish(0));
    const expected = Buffer.concat(builder.images[0].pages);
    expect(decoded.get("vm")?.subarray(0, expected.length).equals(expected)).toBe(true);
  });

  it("tells sinks of long zero runs, and writes up to 1 MiB at once", async () => {
    const builder = await ArchiveBuilder.create();
    const image = builder.beginImage("vm");
    const zeros = Array.from({ length: 100 }, () => ({ kind: "zero" }) as const);
    const pages = Array.from({ length: 300 }, () => stored());
    builder.addPages(image, 0, [...pages, ...zeros, stored(), { kind: "zero" }], 64);
    builder.endImage(image);
    const calls: string[] = [];
    const sink: PageSink = {
      write: async (frame, { length }) => void calls.push(`write ${frame} ${length / 4096}`),
      zero: async (frame, count) => void calls.push(`zero ${frame} ${count}`),
    };
    await openDecoder(parts).decode(inPieces(builder.finish(0), 4096), () => sink);
    expect(calls).toEqual(["write 0 256", "write 256 44", "zero 300 100", "write 400 2"]);
  });

  it("refuses an image that is not what its END says", async () => {
    const builder = await twoRounds((b, image) => {
      b.addPages(image, 1, [stored()]);
      b.images[image].pages[1] = freshPage();
      b.endImage(image);
    });
    await expect(decode(builder.finish(0))).rejects.toMatchObject({ code: "MISMATCH" });
  });

  it.each<[string, (builder: ArchiveBuilder, image: number) => void, string]>([
    ["a round without END", (b, image) => b.addPages(image, 1, [stored()]), "round 1 has no end"],
    [
      "batches in the wrong order",
      (b, image) => {
        b.addPages(image, 4, [stored()]);
        b.addPages(image, 2, [stored()]);
      },
      "frame 2 where frame 5 was expected",
    ],
    ["frames past the end", (b, image) => b.addPages(image, 8, [stored()]), "it has 8"],
    [
      "a skip in a first round",
      (b) => void b.addPages(b.beginImage("b"), 0, [stored(), { kind: "skip" }]),
      "skips in its first round",
    ],
    [
      "a first round with a gap",
      (b) => void b.addPages(b.beginImage("b"), 1, [stored()]),
      "frame 1 where frame 0 was expected",
    ],
    [
      "a base frame without base",
      (b) => void b.addPages(b.beginImage("b"), 0, [{ kind: "base", page: freshPage(), frame: 0 }]),
      "a base frame without base",
    ],
    ["two images of one name", (b) => void b.beginImage("vm"), 'called "vm"'],
  ])("refuses %s", async (_, build, message) => {
    const builder = await twoRounds(build);
    // Cut before the index, which the builder cannot make of all of these.
    await expect(decode(builder.soFar())).rejects.toThrow(message);
  });

  it("refuses a stream that is cut anywhere but behind a complete round", async () => {
    let firstRound = 0;
    const builder = await twoRounds((b, image) => {
      firstRound = b.soFar().length;
      b.addPages(image, 3, [stored()]);
      b.endImage(image);
    });
    const bytes = builder.soFar();
    const random = seededRandom(4);
    await decode(bytes.subarray(0, firstRound));
    for (let n = 0; n < 60; n++) {
      const length = n < 10 ? n : random.int(bytes.length);
      if (length === 8192 || length === firstRound) continue;
      const error = await decode(bytes.subarray(0, length)).catch((reason) => reason);
      expect(error).toMatchObject({ code: length < 8 ? "FORMAT" : "DAMAGED" });
    }
  });

  it("refuses every flipped bit before the index", async () => {
    const builder = await twoRounds((b, image) => {
      b.addPages(image, 3, [stored(), { kind: "zero" }]);
      b.endImage(image);
    });
    const bytes = builder.finish(1);
    const random = seededRandom(5);
    for (let n = 0; n < 300; n++) {
      const at = 8192 + random.int(bytes.length - 8192);
      const flipped = Buffer.from(bytes);
      flipped[at] ^= 1 << random.int(8);
      const error = await decode(flipped).catch((reason) => reason);
      expect(error, `byte ${at}`).toMatchObject({
        code: expect.stringMatching(/DAMAGED|MISMATCH/),
      });
    }
  });

  it("hears its signal while the sender is silent", async () => {
    const abort = new AbortController();
    const silent = {
      [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => undefined) }),
    };
    const sinkOf = () => sinkInto(Buffer.alloc(0), true);
    const decoding = openDecoder(parts).decode(silent, sinkOf, { signal: abort.signal });
    setTimeout(() => abort.abort(new Error("enough")), 20);
    await expect(decoding).rejects.toThrow("enough");
  });

  it("works between two processes", async () => {
    const example = new URL("../../examples/two-processes.mjs", import.meta.url);
    const child = fork(example, { stdio: ["ignore", "pipe", "inherit", "ipc"] });
    let text = "";
    child.stdout?.on("data", (bytes) => {
      text += bytes;
    });
    expect(await once(child, "close")).toEqual([0, null]);
    expect(text).toBe("frame 26 holds 99, frame 999 holds 7\n");
  });
});
