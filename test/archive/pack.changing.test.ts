// Files that change while they are packed: what was surveyed is what is stored, or there is a clean
// error. Never is one page taken for another.
import { closeSync, openSync, readFileSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { BATCH_PAGES } from "../../src/core/slab.ts";
import { openTestEngine, resourcesOf } from "../support/engine.ts";
import { temporaryFolder } from "../support/folder.ts";
import { apart, LAG_PAGES, noise } from "../support/images.ts";
import { seededRandom } from "../support/random.ts";

const random = seededRandom(91);
const image = noise(random, 9000);

async function prepared(threads: number, bytes = image) {
  const engine = await openTestEngine({ threads });
  const folder = temporaryFolder();
  const path = join(folder, "a.raw");
  writeFileSync(path, bytes);
  return { engine, folder, path, archive: join(folder, "A.pfa") };
}

describe.each([0, 2])("a file that changes, with %i threads", (threads) => {
  it("lends no bytes that were never stored", async () => {
    // Two images of the same pages; the first one is overwritten when the second one is read, so
    // that its pages can no longer be compared with what was stored.
    const { engine, folder, path, archive } = await prepared(threads);
    const second = join(folder, "b.raw");
    writeFileSync(second, image);
    const { pool } = resourcesOf(engine);
    const run = pool.run.bind(pool);
    let surveyed = 0;
    pool.run = (task) => {
      if (task.kind === "survey" && ++surveyed === 20) {
        const fd = openSync(path, "r+");
        writeSync(fd, noise(random, 2900), 0, 2900 * 4096, 0);
        closeSync(fd);
      }
      return run(task);
    };
    const warnings: string[] = [];
    const inputs = [
      { name: "a", path },
      { name: "b", path: second },
    ];
    const onWarning = (text: string): number => warnings.push(text);
    const report = await engine.pack(inputs, { path: archive }, { onWarning });
    // The first image may have been complete by then: what is read again is looked at all the same.
    expect([[], [`${path}: was written to while it was read`]]).toContainEqual(warnings);
    expect(report.images[1].counts.duplicateAcross).toBeLessThan(9000);
    await engine.unpack({ path: archive }, join(folder, "out"));
    // What the first image holds is what was read then, which its checksum has confirmed.
    expect(Buffer.compare(readFileSync(join(folder, "out/b")), image)).toBe(0);
    expect(await engine.verify({ path: archive })).toMatchObject({ intact: true });
  });

  it("is no reference for deltas any more", async () => {
    const first = noise(random, 500);
    const whole = apart(random, first);
    const nearCopies = Math.floor((500 + LAG_PAGES) / BATCH_PAGES);
    const { engine, folder, path, archive } = await prepared(threads, whole);
    const { pool } = resourcesOf(engine);
    const run = pool.run.bind(pool);
    let surveyed = 0;
    pool.run = (task) => {
      if (task.kind === "survey" && ++surveyed === nearCopies) {
        // The pages of which near copies come later are others now.
        const fd = openSync(path, "r+");
        writeSync(fd, noise(random, 500), 0, 500 * 4096, 0);
        closeSync(fd);
      }
      return run(task);
    };
    const report = await engine.pack([{ name: "a", path }], { path: archive });
    expect(report.images[0].counts.similar).toBeLessThan(250);
    await engine.unpack({ path: archive }, join(folder, "out"));
    expect(Buffer.compare(readFileSync(join(folder, "out/a")), whole)).toBe(0);
  });

  it.each(["shrinks", "grows"])("is refused when it %s", async (how) => {
    const { engine, path, archive } = await prepared(threads);
    const { pool } = resourcesOf(engine);
    const run = pool.run.bind(pool);
    let surveyed = 0;
    pool.run = (task) => {
      if (++surveyed === 3) truncateSync(path, how === "grows" ? 60 << 20 : 5 << 20);
      return run(task);
    };
    const free = resourcesOf(engine).arena.largestFreeBytes;
    const packing = engine.pack([{ name: "a", path }], { path: archive });
    await expect(packing).rejects.toMatchObject({ code: "CHANGED" });
    await expect(packing).rejects.toThrow(`${path}: ${how === "grows" ? "grew" : "shrank"}`);
    expect(resourcesOf(engine).arena.largestFreeBytes).toBe(free);
    expect(() => readFileSync(archive)).toThrow("ENOENT");
  });
});
