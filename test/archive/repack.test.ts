// Repacking keeps what is wanted, with all that is known of it, and leaves the rest behind.
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openArchive } from "../../src/archive/reader.ts";
import { buildCore } from "../support/elf.ts";
import { openTestEngine } from "../support/engine.ts";
import { temporaryFolder } from "../support/folder.ts";
import { mixed, noise } from "../support/images.ts";
import { seededRandom } from "../support/random.ts";

const random = seededRandom(51);
const images: Record<string, Buffer> = {
  a: mixed(random, 500).subarray(0, 500 * 4096 - 77),
  b: noise(random, 700),
  "c.core": Buffer.from(
    buildCore({ byteLength: 20_000, headers: [{ offset: 1001, fileBytes: 16_384 }] }),
  ),
  empty: Buffer.alloc(0),
};
images["c.core"].set(images.b.subarray(0, 16_384), 1001);

async function packed(threads: number) {
  const engine = await openTestEngine({ threads });
  const folder = temporaryFolder();
  const inputs = Object.entries(images).map(([name, bytes]) => {
    writeFileSync(join(folder, name), bytes);
    return { name, path: join(folder, name), notes: { of: name } };
  });
  const path = join(folder, "A.pfa");
  await engine.pack(inputs, { path }, { digests: ["sha256"] });
  return { engine, folder, path };
}

describe("repack", () => {
  it.each([0, 2])("frees what nobody needs, with %i threads", async (threads) => {
    const { engine, folder, path } = await packed(threads);
    const smaller = join(folder, "B.pfa");
    const report = await engine.repack(path, { path: smaller }, { drop: ["b"] });
    expect(report.images.map(({ name }) => name)).toEqual(["a", "c.core", "empty"]);
    expect(statSync(path).size - statSync(smaller).size).toBeGreaterThan(690 * 4096);
    await using before = await openArchive(path);
    await using after = await openArchive(smaller);
    for (const name of ["a", "c.core", "empty"]) {
      const { counts, storedBytes, ...kept } = before.image(name);
      expect(after.image(name)).toMatchObject({
        ...Object.fromEntries(
          Object.entries(kept).filter(([, value]) => typeof value !== "function"),
        ),
      });
      expect(after.image(name).sha256).toMatch(/^[0-9a-f]{64}$/);
    }
    await engine.unpack({ path: smaller }, join(folder, "out"));
    for (const name of ["a", "c.core", "empty"]) {
      expect(Buffer.compare(readFileSync(join(folder, "out", name)), images[name])).toBe(0);
    }
    expect(await engine.verify({ path: smaller })).toMatchObject({ intact: true, faults: [] });
  });

  it("changes the level, and gives the same bytes again", async () => {
    const { engine, folder, path } = await packed(1);
    const stored = join(folder, "S.pfa");
    await engine.repack(path, { path: stored }, { level: "store" });
    expect(statSync(stored).size).toBeGreaterThan(statSync(path).size);
    const [once, twice] = [join(folder, "1.pfa"), join(folder, "2.pfa")];
    await engine.repack(stored, { path: once });
    await engine.repack(once, { path: twice });
    expect(Buffer.compare(readFileSync(once), readFileSync(twice))).toBe(0);
  });

  it("refuses unknown names, damage and missing archives, and leaves nothing", async () => {
    const { engine, folder, path } = await packed(1);
    const output = { path: join(folder, "B.pfa") };
    const files = readdirSync(folder);
    const drop = engine.repack(path, output, { drop: ["x"] });
    await expect(drop).rejects.toThrow(`${path}: there is no image "x"`);
    const missing = join(folder, "missing.pfa");
    await expect(engine.repack(missing, output)).rejects.toThrow(`${missing}: no such file`);
    const bytes = readFileSync(path);
    bytes[bytes.indexOf(images.b.subarray(4096 * 300, 4096 * 300 + 64))] ^= 1;
    writeFileSync(path, bytes);
    await expect(engine.repack(path, output)).rejects.toMatchObject({ code: "DAMAGED" });
    expect(readdirSync(folder)).toEqual(files);
    await engine.repack(path, output, { drop: ["b", "c.core"] });
  });
});
