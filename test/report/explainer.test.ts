// What explaining says of images, against their bytes and against packing them.
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { ExplainedMap, Explanation } from "../../src/explainapi.ts";
import { KIND_COUNT, KINDS } from "../../src/report/kindcodes.ts";
import { entropyOf } from "../oracle/entropy.ts";
import { buildCore } from "../support/elf.ts";
import { collector, openTestEngine } from "../support/engine.ts";
import { temporaryFolder } from "../support/folder.ts";
import { apart, mixed, noise } from "../support/images.ts";
import { randomSeed, seededRandom } from "../support/random.ts";
import { zstdFrames } from "../support/zstd-frames.ts";

const random = seededRandom(randomSeed("explainer"));
const PAGE_BYTES = 4096;
const [ZERO, UNIFORM, INSIDE, ACROSS, SIMILAR, COMPRESSIBLE, DENSE] = KINDS.keys();

function put(images: readonly Uint8Array[]) {
  const folder = temporaryFolder();
  return images.map((bytes, i) => {
    const path = join(folder, `${i}.raw`);
    writeFileSync(path, bytes);
    return { name: `${i}.raw`, path };
  });
}

/** The kind of each cell of a map whose cells are single frames. */
function kindsOf({ counts, cellCount }: ExplainedMap): number[] {
  return Array.from({ length: cellCount }, (_, cell) =>
    counts.subarray(cell * KIND_COUNT, (cell + 1) * KIND_COUNT).indexOf(1),
  );
}

function pagesOf(image: Uint8Array): Buffer[] {
  return Array.from({ length: Math.ceil(image.length / PAGE_BYTES) }, (_, i) => {
    const page = Buffer.alloc(PAGE_BYTES);
    page.set(image.subarray(i * PAGE_BYTES, (i + 1) * PAGE_BYTES));
    return page;
  });
}

/** Judges each page by its bytes. Whether a new page becomes a delta is the encoder's choice. */
function judge(images: readonly Uint8Array[]) {
  const owners = new Map<string, number>();
  return images.map((image, number) =>
    pagesOf(image).map((page) => {
      const bits = entropyOf(page);
      const kinds = ((): (number | undefined)[] => {
        if (page.every((byte) => byte === 0)) return [ZERO];
        if (page.every((byte, at) => byte === page[at % 8])) return [UNIFORM];
        const key = createHash("sha1").update(page).digest("hex");
        const owner = owners.get(key);
        if (owner !== undefined) return [owner === number ? INSIDE : ACROSS];
        owners.set(key, number);
        // Close to the border rounding decides.
        if (Math.abs(bits - 7.5) < 0.001) return [SIMILAR, DENSE, COMPRESSIBLE];
        return [SIMILAR, bits >= 7.5 ? DENSE : COMPRESSIBLE];
      })();
      return { bits, kinds };
    }),
  );
}

function numbersOf({ elapsedMs: _, maps, ...rest }: Explanation) {
  return { ...rest, kinds: maps.map(kindsOf), entropies: maps.map((map) => [...map.entropySums]) };
}

test("every page has the kind and the entropy of its bytes, the sums those of pack", async () => {
  const first = mixed(random, 900);
  const images = [
    first,
    Buffer.concat([first.subarray(50 * PAGE_BYTES), noise(random, 20), first.subarray(0, 777)]),
    apart(random, noise(random, 200)),
    new Uint8Array(0),
  ];
  const inputs = put(images);
  const engine = await openTestEngine();
  const explanation = await engine.explain(inputs);
  const expected = judge(images);
  explanation.maps.forEach((map, image) => {
    expect(map).toMatchObject({ framesPerCell: 1, frameCount: expected[image].length });
    kindsOf(map).forEach((kind, frame) => {
      const { kinds, bits } = expected[image][frame];
      if (!kinds.includes(kind)) expect.fail(`image ${image}, frame ${frame}: ${KINDS[kind]}`);
      expect(Math.abs(map.entropySums[frame] / 4096 - bits)).toBeLessThan(0.001);
    });
  });
  const output = collector();
  const packed = await engine.pack(inputs, output);
  expect(explanation.outputBytes).toBe(output.bytes().length);
  packed.images.forEach(({ counts, storedBytes }, i) => {
    expect(explanation.images[i]).toMatchObject({ counts, storedBytes });
    const dense = kindsOf(explanation.maps[i]).filter((kind) => kind === DENSE).length;
    expect(explanation.images[i].densePages).toBe(dense);
  });
  const [memory] = explanation.steps;
  const frames = expected.reduce((sum, pages) => sum + pages.length, 0);
  expect(memory.changeBytes).toBe(frames * PAGE_BYTES);
  expect(explanation.steps.at(-1)?.leftBytes).toBe(explanation.outputBytes);
  // Edited copies are deltas, and deltas are smaller than pages.
  expect(kindsOf(explanation.maps[2])).toContain(SIMILAR);
  const similar = explanation.steps.find(({ name }) => name === "similar");
  expect(similar?.changeBytes).toBeLessThan(-100 * PAGE_BYTES);
});

test("shares and repetitions are those of the bytes", async () => {
  const [a, b, c] = [noise(random, 30), noise(random, 20), noise(random, 10)];
  const word = Buffer.alloc(5 * PAGE_BYTES, "eight by");
  const images = [
    Buffer.concat([a, b, word]),
    Buffer.concat([b, b, c, word]),
    Buffer.concat([c, a.subarray(0, 5 * PAGE_BYTES), Buffer.alloc(3 * PAGE_BYTES)]),
  ];
  const engine = await openTestEngine();
  const { sharing, images: found, repeated } = await engine.explain(put(images));
  expect(sharing).toEqual([
    [50, 20, 5],
    [20, 30, 10],
    [5, 10, 15],
  ]);
  expect(found.map(({ distinctPages }) => distinctPages)).toEqual([50, 30, 15]);
  expect(found.map(({ ownPages }) => ownPages)).toEqual([25, 0, 0]);
  const [most, ...others] = repeated;
  expect(most).toEqual({
    count: 10,
    images: [0, 1],
    first: { image: 0, frame: 50 },
    isUniform: true,
    bytes: Buffer.from("eight by".repeat(8)).toString("hex"),
    byteOffset: 0,
  });
  expect(others).toHaveLength(23);
  for (const { count, images: where, first, bytes } of others.slice(0, 20)) {
    expect({ count, where, image: first.image }).toEqual({ count: 3, where: [0, 1], image: 0 });
    const at = first.frame * PAGE_BYTES;
    expect(bytes).toBe(images[0].subarray(at, at + 64).toString("hex"));
  }
});

test("the numbers do not depend on the threads, nor on what compressed an image", async () => {
  const images = [mixed(random, 1500), mixed(random, 700)];
  const inputs = put(images);
  const one = await (await openTestEngine({ threads: 1 })).explain(inputs);
  for (const threads of [0, 2]) {
    const engine = await openTestEngine({ threads });
    expect(numbersOf(await engine.explain(inputs))).toEqual(numbersOf(one));
  }
  const compressed = put(images.map((image) => zstdFrames(image)));
  const engine = await openTestEngine();
  // A note in the archive says that it was compressed, which takes some bytes.
  const { outputBytes: _, steps: _steps, ...pages } = numbersOf(await engine.explain(compressed));
  const wanted = one.images.map((image) => ({ ...image, decompressed: "zstd" }));
  expect({ ...numbersOf(one), images: wanted }).toMatchObject(pages);
});

test("frames of a core have their addresses", async () => {
  const headers = [
    { offset: 1000, fileBytes: 2 * PAGE_BYTES, address: 0x7000_0000_0000n },
    { offset: 1000 + 2 * PAGE_BYTES, fileBytes: PAGE_BYTES, address: 0x1000n },
  ];
  const core = buildCore({ byteLength: 1000 + 3 * PAGE_BYTES, headers });
  const engine = await openTestEngine();
  const { maps, images } = await engine.explain(put([core]));
  expect(images[0]).toMatchObject({ format: "elf-core", frameCount: 4 });
  expect(maps[0].addresses).toEqual([
    { frame: 1, frameCount: 2, address: 0x7000_0000_0000n },
    { frame: 3, frameCount: 1, address: 0x1000n },
  ]);
});

test("more images than anybody reads are refused, and a stop is heard", async () => {
  const engine = await openTestEngine();
  const many = Array.from({ length: 129 }, (_, i) => ({ name: `${i}`, path: "/dev/null" }));
  await expect(engine.explain(many)).rejects.toMatchObject({ code: "LIMIT" });
  const signal = AbortSignal.abort(new Error("stopped"));
  await expect(engine.explain(put([noise(random, 9)]), { signal })).rejects.toThrow("stopped");
  // The engine is as good as before.
  expect((await engine.explain(put([noise(random, 9)]))).images[0].densePages).toBe(9);
});
