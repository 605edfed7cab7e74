// Who shares with whom, against sets.
import { expect, test } from "vitest";
import { Sharing } from "../../src/report/sharing.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const random = seededRandom(randomSeed("sharing"));

test.each([1, 2, 31, 32, 33, 64, 128])("counts what %d images share", (imageCount) => {
  const sharing = new Sharing(imageCount);
  const sets = Array.from({ length: imageCount }, () => new Set<number>());
  const frames = new Map<number, number>();
  for (let n = 0; n < 20_000; n++) {
    const image = random.int(imageCount);
    const content = random.int(1 + random.int(9000));
    sets[image].add(content);
    const count = (frames.get(content) ?? 0) + 1;
    frames.set(content, count);
    expect(sharing.add(content, image)).toBe(count);
  }
  const { shared, own } = sharing.matrix();
  const expected = sets.map((a) => sets.map((b) => [...a].filter((c) => b.has(c)).length));
  expect(shared).toEqual(expected);
  const isOwn = (content: number) => sets.filter((set) => set.has(content)).length === 1;
  expect(own).toEqual(sets.map((set) => [...set].filter(isOwn).length));
  for (const content of [0, 1, 17]) {
    const images = sets.flatMap((set, image) => (set.has(content) ? [image] : []));
    expect(sharing.images(content)).toEqual(images);
    expect(sharing.count(content)).toBe(frames.get(content) ?? 0);
  }
});

test("nothing is shared by nobody", () => {
  expect(new Sharing(2).matrix()).toEqual({
    shared: [
      [0, 0],
      [0, 0],
    ],
    own: [0, 0],
  });
});
