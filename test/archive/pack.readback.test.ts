// Pages of streams are compared with clusters that were stored: every copy is found, of plain pages
// and of deltas side by side, whoever is slow.
import { describe, expect, it } from "vitest";
import type { PackInput } from "../../src/api.ts";
import { inPieces, openTestEngine } from "../support/engine.ts";
import { apart, LAG_PAGES, noise } from "../support/images.ts";
import { seededRandom } from "../support/random.ts";

const random = seededRandom(111);
const both = apart(random, noise(random, 200));
const gap = Buffer.alloc(LAG_PAGES * 4096);
/** Originals and near copies by turns. */
const turns = Buffer.concat(
  Array.from({ length: 200 }, (_, i) => [
    both.subarray(i * 4096, (i + 1) * 4096),
    both.subarray(both.length - (200 - i) * 4096).subarray(0, 4096),
  ]).flat(),
);

async function packed(threads: number, delayMs: number) {
  const engine = await openTestEngine({ threads, memoryBytes: 512 << 20 });
  const parts: Uint8Array[] = [];
  const write = async (bytes: Uint8Array): Promise<void> => {
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
    parts.push(bytes);
  };
  const bytes = inPieces(Buffer.concat([both, gap, turns]), 1 << 20);
  const input: PackInput = { name: "a", bytes, mtimeMs: 1 };
  const { images } = await engine.pack([input], { write });
  await engine.close();
  return { counts: images[0].counts, archive: Buffer.concat(parts) };
}

describe("pages of streams", () => {
  it("are found again in what was stored", async () => {
    const fast = await packed(1, 0);
    expect(fast.counts.similar).toBeGreaterThan(100);
    // 67 near copies are none, and all pages come once more.
    expect(fast.counts.duplicateInside).toBe(67 + 400);
    const slow = await packed(3, 3);
    expect(Buffer.compare(slow.archive, fast.archive)).toBe(0);
  });
});
