// The bytes of an archive depend on input and options, never on how many workers there were.
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { PackInput } from "../../src/api.ts";
import { collector, inPieces, openTestEngine } from "../support/engine.ts";
import { temporaryFolder } from "../support/folder.ts";
import { apart, mixed } from "../support/images.ts";
import { randomSeed, type SeededRandom, seededRandom } from "../support/random.ts";

/** More than there is memory for, too. */
const THREADS = [0, 1, 2, 7];

function testImages(random: SeededRandom): Buffer[] {
  const first = mixed(random, 700);
  const again = Buffer.concat([first.subarray(200 * 4096), mixed(random, 100)]);
  return [first, again, apart(random, mixed(random, 400)), again.subarray(0, 5 * 4096 - 1)];
}

/** Packs the same inputs with each number of threads and demands one result. */
async function expectSame(
  inputs: () => PackInput[],
  { toFile, mib }: { toFile: boolean; mib: number },
): Promise<void> {
  const folder = temporaryFolder();
  const results: Buffer[] = [];
  for (const threads of THREADS) {
    const engine = await openTestEngine({ threads, memoryBytes: mib << 20 });
    const piped = collector();
    const path = join(folder, `${threads}.pfa`);
    await engine.pack(inputs(), toFile ? { path } : piped);
    results.push(toFile ? readFileSync(path) : piped.bytes());
    await engine.close();
  }
  for (const [i, result] of results.entries()) {
    expect(`${THREADS[i]}: ${Buffer.compare(result, results[0])}`).toBe(`${THREADS[i]}: 0`);
  }
}

describe.each([
  { toFile: true, mib: 64 },
  { toFile: false, mib: 64 },
  { toFile: false, mib: 256 },
])("the number of threads shows nowhere, %o", (how) => {
  it("for files", async () => {
    const folder = temporaryFolder();
    const images = testImages(seededRandom(randomSeed("threads, files")));
    const inputs = images.map((bytes, i) => {
      const path = join(folder, `${i}.raw`);
      writeFileSync(path, bytes);
      return { name: `${i}`, path };
    });
    expect(statSync(inputs[3].path).size).toBe(5 * 4096 - 1);
    await expectSame(() => inputs, how);
  });

  it("for streams", async () => {
    const images = testImages(seededRandom(randomSeed("threads, streams")));
    const inputs = (): PackInput[] =>
      images.map((bytes, i) => ({ name: `${i}`, bytes: inPieces(bytes, 77_777), mtimeMs: i }));
    await expectSame(inputs, how);
  });

  it("for page sources", async () => {
    const images = testImages(seededRandom(randomSeed("threads, sources")));
    const inputs = images.slice(0, 3).map((bytes, i) => {
      const source = {
        frameCount: bytes.length / 4096,
        async read(frame: number, count: number, into: Uint8Array): Promise<void> {
          into.set(bytes.subarray(frame * 4096, (frame + count) * 4096));
        },
      };
      return { name: `${i}`, source, mtimeMs: i };
    });
    await expectSame(() => inputs, how);
  });
});
