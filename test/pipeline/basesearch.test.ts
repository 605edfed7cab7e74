// What is new in a page is found where it stands in the base, shifted by any number of bytes, and
// whatever lies before that place: pages of zeros and repeated ones are not looked through.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PAGE_BYTES } from "../../src/core/page.ts";
import { openTestEngine } from "../support/engine.ts";
import { temporaryFolder } from "../support/folder.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const PAGES = 1200;
const MOVED_BYTES = 2000;

describe("the search of a base", () => {
  it.each([0, 2])("finds moved content (%i workers)", async (threads) => {
    const random = seededRandom(randomSeed("base search"));
    const old = Buffer.from(random.bytes(PAGES * PAGE_BYTES));
    old.fill(0, 10 * PAGE_BYTES, 300 * PAGE_BYTES);
    for (let page = 320; page < 900; page += 2) old.copy(old, page * PAGE_BYTES, 0, PAGE_BYTES);
    const image = Buffer.from(old);
    for (const [to, from] of [
      [3, 1100],
      [700, 5],
      [1150, 901],
    ]) {
      const at = to * PAGE_BYTES + random.int(PAGE_BYTES - MOVED_BYTES);
      const source = from * PAGE_BYTES + random.int(PAGE_BYTES - MOVED_BYTES);
      old.copy(image, at, source, source + MOVED_BYTES);
    }
    const folder = temporaryFolder();
    const [base, path, archive] = ["old", "new", "step.pfa"].map((name) => join(folder, name));
    writeFileSync(base, old);
    writeFileSync(path, image);
    const engine = await openTestEngine({ threads });
    const pack = async (source: string) =>
      engine.pack(
        [{ name: "new", path: source }],
        { path: archive, force: true },
        { base: { path: base } },
      );
    const unchanged = await pack(base);
    const report = await pack(path);
    expect(report.images[0].counts.similar).toBe(3);
    // Less than a tenth of what moved.
    expect(report.outputBytes - unchanged.outputBytes).toBeLessThan((3 * MOVED_BYTES) / 10);
    mkdirSync(join(folder, "out"));
    await engine.unpack({ path: archive }, join(folder, "out"), { base: { path: base } });
    expect(readFileSync(join(folder, "out", "new")).equals(image)).toBe(true);
  });
});
