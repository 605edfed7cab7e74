// pagefold diff through the real process: numbers, the difference, and chains of differences.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fail, pagefold, succeed, writeFiles } from "../support/cli.ts";
import { temporaryFolder } from "../support/folder.ts";
import { seededRandom } from "../support/random.ts";

const OLD = Buffer.from(seededRandom(3).bytes(300 * 4096));
/** A word of page 17 changed, page 5 cleared, page 7 moved from page 9, two pages more. */
const NEW = Buffer.concat([OLD, seededRandom(4).bytes(2 * 4096)]);
NEW.fill(0, 5 * 4096, 6 * 4096);
OLD.copy(NEW, 7 * 4096, 9 * 4096, 10 * 4096);
NEW[17 * 4096 + 60] ^= 1;

function folderWithImages(): string {
  const folder = temporaryFolder();
  writeFiles(folder, { "old.raw": OLD, "new.raw": NEW });
  return folder;
}

describe("diff", () => {
  test("tells what changed, for people and as JSON", async () => {
    const folder = folderWithImages();
    const text = await succeed(["diff", "old.raw", "new.raw"], folder);
    expect(text).toMatch(/^new\.raw against old\.raw: 1\.2 MiB in \d/);
    expect(text).toMatch(/^ {2}pages changed +3 +1\.0 %$/m);
    expect(text).toMatch(/^ {2}pages added +2$/m);
    const { stdout } = await pagefold(["diff", "old.raw", "new.raw", "--json"], { cwd: folder });
    const found = JSON.parse(stdout.toString("utf8"));
    expect(found).toMatchObject({
      schema: "pagefold/diff/1",
      old: "old.raw",
      new: "new.raw",
      archive: null,
      byteLength: NEW.length,
      frameCount: 302,
      comparedFrames: 300,
      changedFrames: 3,
      addedFrames: 2,
      zeroed: 1,
      moved: 1,
      similar: 1,
      warnings: [],
    });
    const { zeroed, moved, similar, fresh } = found;
    expect(zeroed + moved + similar + fresh).toBe(5);
    expect(found.changedBlocks).toBeGreaterThan(64);
  });

  test("writes what pack --base writes", async () => {
    const folder = folderWithImages();
    await succeed(["diff", "-q", "old.raw", "new.raw", "-o", "D.pfa"], folder);
    await succeed(["pack", "-q", "--base", "old.raw", "new.raw", "-o", "P.pfa"], folder);
    const [difference, packed] = ["D.pfa", "P.pfa"].map((name) => readFileSync(join(folder, name)));
    expect(difference.equals(packed)).toBe(true);
    const { stdout } = await pagefold(["list", "--json", "D.pfa"], { cwd: folder });
    const [image] = JSON.parse(stdout.toString("utf8")).images;
    expect(image.base.checksum).toMatch(/^[0-9a-f]{32}$/);
    await fail(
      ["diff", "old.raw", "new.raw", "-f", "-o", "old.raw"],
      { cwd: folder },
      { code: 2, line: /both an input and the output/ },
    );
  });

  test("makes chains of five checkpoints", async () => {
    const folder = temporaryFolder();
    const random = seededRandom(7);
    const states = [OLD];
    for (let i = 1; i <= 5; i++) {
      const next = Buffer.from(states[i - 1]);
      for (let k = 0; k < 40; k++) next[random.int(next.length)] ^= 1 + random.int(255);
      const [from, to] = [random.int(300), random.int(300)];
      next.copy(next, to * 4096, from * 4096, from * 4096 + 2048);
      states.push(next);
    }
    for (const [i, state] of states.entries()) writeFiles(folder, { [`${i}.raw`]: state });
    for (let i = 1; i <= 5; i++) {
      await succeed(["diff", "-q", `${i - 1}.raw`, `${i}.raw`, "-o", `${i}.pfa`], folder);
    }
    let base = "0.raw";
    for (let i = 1; i <= 5; i++) {
      await succeed(["unpack", "-q", "--base", base, `${i}.pfa`, "-C", "out"], folder);
      base = join("out", `${i}.raw`);
      expect(readFileSync(join(folder, base)).equals(states[i])).toBe(true);
    }
  });
});
