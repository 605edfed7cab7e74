// Frames of the same content find each other, whatever was there before.
import { expect, it } from "vitest";
import { PageIndex } from "../../src/replication/pageindex.ts";
import { PageHasher, SumTree } from "../../src/replication/storesums.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

it("names a frame of the same content, and no other", () => {
  const random = seededRandom(randomSeed("pageindex"));
  const hasher = new PageHasher();
  const tree = new SumTree(hasher, 50);
  const index = new PageIndex(tree);
  const contents = new Map<number, number>();
  let named = 0;
  for (let i = 0; i < 2000; i++) {
    const frame = random.int(50);
    const content = 1 + random.int(40);
    contents.set(frame, content);
    tree.set(frame, hasher.fingerprints(new Uint8Array(4096).fill(content)));
    index.enter(frame);
    const asked = random.int(50);
    const other = index.sameAs(asked);
    if (other === undefined) continue;
    named++;
    expect(other).not.toBe(asked);
    expect(contents.get(other)).toBe(contents.get(asked));
  }
  expect(named).toBeGreaterThan(200);
});
