// Clusters that are kept for later: in memory, in a file without a name, with gaps.
import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readRange } from "../../src/archive/bytesource.ts";
import { ClusterStore } from "../../src/archive/clusterstore.ts";
import { temporaryFolder } from "../support/folder.ts";
import { seededRandom } from "../support/random.ts";

const MIB = 1 << 20;

async function filled(store: ClusterStore, sizes: readonly number[]): Promise<Uint8Array[]> {
  const random = seededRandom(3);
  const clusters: Uint8Array[] = [];
  for (const size of sizes) {
    const bytes = random.bytes(size);
    const entry = { byteLength: size, itemCount: 1 + (size % 256), isDeltas: size % 2 === 1 };
    await store.add(clusters.length, entry, bytes);
    clusters.push(bytes);
  }
  return clusters;
}

async function contentOf(store: ClusterStore, cluster: number): Promise<Uint8Array> {
  const { byteOffset, byteLength } = await store.placeOf(cluster);
  return readRange(store, byteOffset, byteLength, "cluster");
}

describe("cluster store", () => {
  it.each([0, 2 * MIB, 64 * MIB])("gives back what it was given, %i bytes in memory", async (b) => {
    const folder = temporaryFolder();
    await using store = new ClusterStore(b, folder);
    const sizes = Array.from({ length: 40 }, (_, i) => 25 + i * 6007);
    const clusters = await filled(store, sizes);
    expect(store.isSpilled).toBe(b < 10 * MIB);
    expect(readdirSync(folder)).toEqual([]);
    for (const [i, bytes] of [...clusters.entries()].reverse()) {
      expect(Buffer.compare(await contentOf(store, i), bytes)).toBe(0);
      const { itemCount, isDeltas } = await store.placeOf(i);
      expect([itemCount, isDeltas]).toEqual([1 + (sizes[i] % 256), sizes[i] % 2 === 1]);
    }
  });

  it("takes no more memory than it may", async () => {
    await using store = new ClusterStore(4 * MIB, temporaryFolder());
    const before = process.memoryUsage().arrayBuffers;
    const bytes = new Uint8Array(MIB).fill(1);
    for (let i = 0; i < 200; i++) {
      await store.add(i, { byteLength: MIB, itemCount: 1, isDeltas: false }, bytes);
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 * MIB);
    expect(store.size).toBe(200 * MIB);
  });

  it("knows which clusters are missing, and refuses one that comes twice", async () => {
    await using store = new ClusterStore(MIB, temporaryFolder());
    const entry = { byteLength: 30, itemCount: 1, isDeltas: false };
    await store.add(3, entry, new Uint8Array(30).fill(3));
    await store.add(9, entry, new Uint8Array(30).fill(9));
    await store.add(10, entry, new Uint8Array(30).fill(10));
    for (const cluster of [3, 9, 10]) expect((await contentOf(store, cluster))[0]).toBe(cluster);
    for (const cluster of [0, 2, 4, 8, 11]) {
      const place = store.placeOf(cluster);
      await expect(place).rejects.toThrow(`cluster ${cluster}: is not there`);
    }
    await expect(store.add(9, entry, new Uint8Array(30))).rejects.toThrow("a second time");
  });
});
