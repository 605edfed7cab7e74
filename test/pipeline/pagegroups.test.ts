// Groups of pages that come from a store: each page that has its digest is handed on with its hash,
// and whatever else is in a group, it is no page, harms no other and leaves nothing behind.
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Region } from "../../src/core/arena.ts";
import { digestAt } from "../../src/core/digests.ts";
import { PAGE_BYTES } from "../../src/core/page.ts";
import type { PageGroup } from "../../src/core/pagegroup.ts";
import { GroupUnpacker } from "../../src/pipeline/pagegroups.ts";
import type { EngineResources } from "../../src/pipeline/resources.ts";
import { blake3Oracle } from "../oracle/blake3.ts";
import { xxh3Long128 } from "../oracle/fingerprint.ts";
import { closeEngines, keptEngines } from "../support/engine.ts";
import { rawGroup } from "../support/pagegroups.ts";
import { randomSeed, type SeededRandom, seededRandom } from "../support/random.ts";

const KEY = new Uint8Array(32).fill(3);
const seed = randomSeed("page groups");

let resources: EngineResources;
let key: Region;
let unpacker: GroupUnpacker;
beforeAll(async () => {
  [resources] = await keptEngines(1, { threads: 1 });
  key = resources.arena.reserve(KEY.length, "a key");
  resources.arena.bytes.set(KEY, key.ptr);
  unpacker = new GroupUnpacker(resources, key);
});
afterAll(async () => {
  await unpacker.close();
  await closeEngines();
});

function groupOfPages(pages: readonly Uint8Array[]): PageGroup {
  return rawGroup(Buffer.concat(pages.map((page) => blake3Oracle(page, KEY))), pages);
}

/** No two alike: what a slab held before must not pass for what is wanted. */
function newPages(random: SeededRandom, count: number): Uint8Array[] {
  return Array.from({ length: count }, () => {
    const page = new Uint8Array(PAGE_BYTES).fill(random.int(256));
    page.set(random.bytes(8));
    return page;
  });
}

/** Copies of what is visited, undefined for what is not right; each must have its digest. */
async function unpacked(groups: readonly PageGroup[]): Promise<(Uint8Array | undefined)[]> {
  const pages: (Uint8Array | undefined)[] = [];
  await unpacker.unpack(groups, (digests, i, page) => {
    pages.push(page?.bytes.slice());
    if (!page) return;
    expect(Buffer.compare(blake3Oracle(page.bytes, KEY), digestAt(digests, i))).toBe(0);
    const hash = page.words.slice(page.hashAt, page.hashAt + 2);
    expect(new BigUint64Array(hash.buffer)[0]).toBe(xxh3Long128(page.bytes).low);
  });
  return pages;
}

it("unpacks more than a slab has room for, in order", async () => {
  const random = seededRandom(seed);
  const groups = Array.from({ length: 90 }, () => newPages(random, 1 + random.int(16)));
  expect(await unpacked(groups.map(groupOfPages))).toEqual(groups.flat());
  expect(await unpacked([])).toEqual([]);
});

it("finds no page in what is none, and the others beside it", async () => {
  const random = seededRandom(seed);
  for (let round = 0; round < 60; round++) {
    const [first, broken, last] = [2, 3, 2].map((count) => newPages(random, count));
    const group = groupOfPages(broken);
    const cluster = Uint8Array.from(group.cluster);
    const how = random.int(4);
    if (how === 0) cluster[random.int(24)] ^= 1 << random.int(8);
    if (how === 1) cluster[24 + random.int(cluster.length - 24)] ^= 1 << random.int(8);
    const cut = how === 2 ? cluster.slice(0, random.int(cluster.length)) : cluster;
    const bytes = how === 3 ? Uint8Array.from(random.bytes(random.int(20_000))) : cut;
    const groups = [
      groupOfPages(first),
      { digests: group.digests, cluster: bytes },
      groupOfPages(last),
    ];
    const found = await unpacked(groups);
    expect(found).toHaveLength(7);
    expect([...found.slice(0, 2), ...found.slice(5)]).toEqual([...first, ...last]);
    // Where it is there, it is right: `unpacked` has looked.
    if (how > 1) expect(found.slice(2, 5)).toEqual([undefined, undefined, undefined]);
  }
});

it("finds nothing in groups that are too large", async () => {
  const pages = newPages(seededRandom(seed), 2);
  const many = { digests: new Uint8Array(600 * 32), cluster: groupOfPages(pages).cluster };
  const long = { digests: new Uint8Array(32), cluster: new Uint8Array(3 << 20) };
  const found = await unpacked([groupOfPages(pages), many, long, groupOfPages(pages)]);
  expect(found.slice(0, 2)).toEqual(pages);
  expect(found.slice(2, -2)).toEqual(Array(601).fill(undefined));
  expect(found.slice(-2)).toEqual(pages);
});

it("rejects when it is closed, and gives its memory back", async () => {
  const { largestFreeBytes } = resources.arena;
  const other = new GroupUnpacker(resources, key);
  const group = groupOfPages(newPages(seededRandom(seed), 4));
  const [one, two] = [other.unpack([group], () => {}), other.unpack([group], () => {})];
  const outcomes = Promise.allSettled([one, two]);
  await other.close();
  expect((await outcomes).map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
  expect(resources.arena.largestFreeBytes).toBe(largestFreeBytes);
});
