// The most repeated pages, against a count of everything.
import { expect, test } from "vitest";
import { NO_ENTRY } from "../../src/kernels/layout.ts";
import type { ObservedPages } from "../../src/pipeline/observer.ts";
import { RepeatedPages } from "../../src/report/repeated.ts";
import { Sharing } from "../../src/report/sharing.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const random = seededRandom(randomSeed("repeated"));
const IMAGES = 3;

/** A page whose bytes name its content, behind some zeros. */
function bytesOf(content: number): Uint8Array {
  const page = Buffer.alloc(4096);
  page.writeUInt32LE(content + 1, (content % 60) * 64 + 8);
  return page;
}

/** One observed page. */
function pageOf(content: number, image: number, frame: number, firsts: Map<number, object>) {
  if (!firsts.has(content)) firsts.set(content, { image, frame });
  return {
    image,
    firstFrame: frame,
    entries: Uint32Array.of(content),
    bytes: () => bytesOf(content),
    word: () => BigInt(content),
    firstOf: (entry: number) => firsts.get(entry),
  } as unknown as ObservedPages;
}

test("finds the pages that are there most often, wherever they come", () => {
  for (let round = 0; round < 10; round++) {
    const sharing = new Sharing(IMAGES);
    const repeated = new RepeatedPages(sharing);
    const counts = new Map<number, number>();
    const firsts = new Map<number, object>();
    for (let frame = 0; frame < 6000; frame++) {
      // Few contents are frequent, and which ones changes on the way.
      const content = random.int(1 + random.int(1 + random.int(2000))) + (frame >> 11) * 700;
      const page = pageOf(content, Math.floor(frame / 2000), frame, firsts);
      const count = sharing.add(content, page.image);
      counts.set(content, count);
      if (count > 1) repeated.add(page, 0, count);
    }
    const most = [...counts.values()].filter((n) => n > 1).sort((a, b) => b - a);
    const list = repeated.list();
    expect(list.map(({ count }) => count)).toEqual(most.slice(0, 24));
    for (const { bytes, byteOffset, count, first, images } of list) {
      const content = Buffer.from(bytes, "hex").readUInt32LE(8) - 1;
      expect(counts.get(content)).toBe(count);
      expect(byteOffset).toBe((content % 60) * 64);
      expect(first).toEqual(firsts.get(content));
      expect(images).toEqual(sharing.images(content));
    }
  }
});

test("counts words over and over among them", () => {
  const sharing = new Sharing(IMAGES);
  const repeated = new RepeatedPages(sharing);
  const firsts = new Map<number, object>();
  for (let frame = 0; frame < 10; frame++) {
    const page = pageOf(7, frame % 2, frame, firsts);
    page.entries[0] = NO_ENTRY;
    repeated.addUniform(page, 0);
  }
  repeated.addUniform(pageOf(8, 0, 11, firsts), 0);
  const [found, ...none] = repeated.list();
  expect(none).toEqual([]);
  const first = { image: 0, frame: 0 };
  expect(found).toMatchObject({ count: 10, images: [0, 1], isUniform: true, first });
});
