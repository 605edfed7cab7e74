// Batches of a session against an oracle that keeps every page: pages of all kinds come out as they
// went in, several batches at a time, and memory goes back when something fails.
import { describe, expect, it } from "vitest";
import { CODEC_RAW, KIND_PAGES } from "../../src/core/cluster.ts";
import { BatchUnfolder } from "../../src/pipeline/unfold.ts";
import { type ClusterEntry, type PagesHead, RecordKind, type Run } from "../../src/wire/records.ts";
import { encodeCluster } from "../support/clusters.ts";
import { openResources } from "../support/gang.ts";
import { randomSeed, type SeededRandom, seededRandom } from "../support/random.ts";

const SLOT_BYTES = 32 << 20;

/** A source that remembers the pages of each cluster. */
class Source {
  readonly clusters: Uint8Array[][] = [];
  private readonly random: SeededRandom;

  constructor(random: SeededRandom) {
    this.random = random;
  }

  batch(): { head: PagesHead; body: Uint8Array; pages: Uint8Array } {
    const { random } = this;
    const firstCluster = this.clusters.length;
    const entries: ClusterEntry[] = [];
    const bodies: Uint8Array[] = [];
    for (let n = random.int(4); n > 0; n--) {
      const stored = Array.from({ length: 1 + random.int(20) }, () => random.bytes(4096));
      const payload = Buffer.concat(stored);
      const shape = { contentBytes: payload.length, codec: CODEC_RAW, kind: KIND_PAGES };
      const cluster = encodeCluster({ ...shape, itemCount: stored.length }, payload);
      this.clusters.push(stored);
      bodies.push(cluster);
      entries.push({ byteLength: cluster.length, itemCount: stored.length, isDeltas: false });
    }
    const fresh = this.clusters.slice(firstCluster).flat();
    const runs: Run[] = [];
    const pages: Uint8Array[] = [];
    while (fresh.length > 0 || runs.length < 3) this.run(fresh, runs, pages);
    const frameCount = pages.length;
    const head = { image: 0, firstFrame: 0, frameCount, firstCluster, clusters: entries, runs };
    return { head, body: Buffer.concat(bodies), pages: Buffer.concat(pages) };
  }

  private run(fresh: Uint8Array[], runs: Run[], pages: Uint8Array[]): void {
    const { random } = this;
    const length = 1 + random.int(9);
    const choice = random.int(4);
    if (choice === 0) {
      runs.push({ kind: RecordKind.ZERO, length });
      for (let i = 0; i < length; i++) pages.push(new Uint8Array(4096));
    } else if (choice === 1) {
      const word = Buffer.from(random.bytes(8));
      runs.push({ kind: RecordKind.UNIFORM, length, word: word.readBigUInt64LE() });
      for (let i = 0; i < length; i++) pages.push(Buffer.alloc(4096, word));
    } else if (choice === 2 && this.clusters.length > 0) {
      const cluster = random.int(this.clusters.length);
      const item = random.int(this.clusters[cluster].length);
      const found = this.clusters[cluster].slice(item, item + length);
      runs.push({ kind: RecordKind.DUPLICATE, length: found.length, cluster, item });
      pages.push(...found);
    } else if (fresh.length > 0) {
      const taken = fresh.splice(0, length);
      runs.push({ kind: RecordKind.STORED, length: taken.length });
      pages.push(...taken);
    }
  }
}

async function opened(threads: number) {
  const resources = await openResources(threads);
  const { largestFreeBytes } = resources.arena;
  const unfolder = new BatchUnfolder(resources, SLOT_BYTES);
  const isFree = () => resources.arena.largestFreeBytes === largestFreeBytes;
  return { resources, unfolder, isFree };
}

describe("an unfolder of batches", () => {
  it.each([0, 2])(
    "restores pages of all kinds, several batches at a time (%d)",
    async (threads) => {
      const random = seededRandom(randomSeed("unfold"));
      const { unfolder, isFree } = await opened(threads);
      const source = new Source(random);
      const checks: Promise<void>[] = [];
      for (let n = 0; n < 60; n++) {
        const { head, body, pages } = source.batch();
        const { unfolded } = await unfolder.take(head, body);
        // The session's buffer is used again at once.
        body.fill(0xdd);
        checks.push(
          unfolded.then((got) => {
            expect(got.pageCount).toBe(head.frameCount);
            expect(Buffer.compare(got.pages, pages), `batch ${n}`).toBe(0);
            got.release();
          }),
        );
      }
      await Promise.all(checks);
      await unfolder.close();
      expect(isFree()).toBe(true);
    },
  );

  it("gives slabs back when batches fail: a broken one takes no place for ever", async () => {
    const { unfolder, isFree } = await opened(1);
    const source = new Source(seededRandom(3));
    // More often than there are slabs.
    for (let n = 0; n < 30; n++) {
      const { head, body } = source.batch();
      body.fill(7);
      const { unfolded } = await unfolder.take(head, body);
      const restored = await unfolded.catch((error) => {
        expect(error).toMatchObject({ code: "DAMAGED" });
      });
      restored?.release();
    }
    await unfolder.close();
    expect(isFree()).toBe(true);
  });

  it("refuses clusters out of order, and takes nothing when memory is short", async () => {
    const { resources, unfolder, isFree } = await opened(1);
    const { head, body } = new Source(seededRandom(4)).batch();
    const shifted = { ...head, firstCluster: 9 };
    await expect(unfolder.take(shifted, body)).rejects.toThrow("cluster 9 where 0 was expected");
    await unfolder.close();
    expect(() => new BatchUnfolder(resources, 2 ** 40)).toThrow(/memory: \d+ bytes for slots/);
    expect(isFree()).toBe(true);
    const most = BatchUnfolder.slotBytesWithin(resources);
    await new BatchUnfolder(resources, most).close();
    expect(isFree()).toBe(true);
  });
});
