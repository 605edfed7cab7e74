// What `keepGoing` saves from a damaged archive: everything that is intact, a list of what is lost,
// and zeros in its place.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { PackInput } from "../../src/api.ts";
import { openTestEngine } from "../support/engine.ts";
import { temporaryFolder } from "../support/folder.ts";
import { noise } from "../support/images.ts";
import { seededRandom } from "../support/random.ts";

const random = seededRandom(71);
const a = noise(random, 400);
const b = Buffer.concat([noise(random, 200), a.subarray(50 * 4096, 150 * 4096)]);

/** Batch types of the format. */
const Type = { LEAF: 4, PLACES: 5, DIRECTORY: 7 };

async function packed() {
  const engine = await openTestEngine();
  const folder = temporaryFolder();
  const inputs = Object.entries({ a, b }).map(([name, bytes]): PackInput => {
    writeFileSync(join(folder, name), bytes);
    return { name, path: join(folder, name) };
  });
  const path = join(folder, "A.pfa");
  await engine.pack(inputs, { path }, { level: "fast" });
  return { engine, path, out: join(folder, "out"), bytes: readFileSync(path) };
}

/** Flips a byte in the head of the first batch of a type. */
function damageBatch(bytes: Buffer, type: number): void {
  for (let at = 8192; at < bytes.length; ) {
    if (bytes[at + 4] === type) {
      bytes[at + 64] ^= 1;
      return;
    }
    at += 64 + bytes.readUInt32LE(at + 12) + Number(bytes.readBigUInt64LE(at + 16));
  }
  throw new Error(`no batch of type ${type}`);
}

/** Checks that every page is right or zero and listed. Returns the frames that are lost. */
function lostFrames(out: string, name: string, original: Buffer): number[] {
  const back = readFileSync(join(out, name));
  expect(back.length).toBe(original.length);
  const lost: number[] = [];
  for (let frame = 0; frame * 4096 < original.length; frame++) {
    const at = frame * 4096;
    if (back.compare(original, at, at + 4096, at, at + 4096) === 0) continue;
    expect(back.subarray(at, at + 4096).every((byte) => byte === 0)).toBe(true);
    lost.push(frame);
  }
  const listed: number[] = [];
  if (readdirSync(out).includes(`${name}.lost`)) {
    const lines = readFileSync(join(out, `${name}.lost`), "utf8")
      .split("\n")
      .slice(1, -1);
    for (const line of lines) {
      const [offset, length] = line.split("\t").map(Number);
      for (let at = offset; at < offset + length; at += 4096) listed.push(at / 4096);
    }
  }
  expect(listed).toEqual(lost);
  return lost;
}

describe("keepGoing", () => {
  it("loses the pages of a damaged cluster, in every image that has them", async () => {
    const { engine, path, out, bytes } = await packed();
    bytes[bytes.indexOf(a.subarray(100 * 4096, 100 * 4096 + 64))] ^= 0x40;
    writeFileSync(path, bytes);
    const refused = engine.unpack({ path }, out);
    await expect(refused).rejects.toMatchObject({ code: "DAMAGED" });
    await expect(engine.unpack({ path }, out)).rejects.toThrow(
      /A\.pfa: [ab]: frame \d+: cluster 6/,
    );
    expect(readdirSync(out)).toEqual([]);
    const { lost } = await engine.unpack({ path }, out, { keepGoing: true });
    const frames = Array.from({ length: 16 }, (_, i) => 96 + i);
    expect(lostFrames(out, "a", a)).toEqual(frames);
    expect(lostFrames(out, "b", b)).toEqual(frames.map((frame) => frame + 150));
    const reason = "cluster 6: wrong checksum";
    expect(lost).toEqual([
      { name: "a", firstFrame: 96, frameCount: 16, reason },
      { name: "b", firstFrame: 246, frameCount: 16, reason },
    ]);
  });

  it.each(Object.entries(Type))(
    "loses nothing with a damaged %s: all is scanned",
    async (_, type) => {
      const { engine, path, out, bytes } = await packed();
      damageBatch(bytes, type);
      writeFileSync(path, bytes);
      await expect(engine.unpack({ path }, join(out, "no"))).rejects.toMatchObject({
        code: "DAMAGED",
      });
      const warnings: string[] = [];
      const onWarning = (warning: string): number => warnings.push(warning);
      const report = await engine.unpack({ path }, out, { keepGoing: true, onWarning });
      const lost = [...lostFrames(out, "a", a), ...lostFrames(out, "b", b)];
      expect(lost.length).toBe(report.lost.reduce((sum, range) => sum + range.frameCount, 0));
      expect(lost).toEqual([]);
      for (const warning of warnings) expect(warning).toContain(path);
    },
  );

  it("saves what was written when the end is missing", async () => {
    const { engine, path, out, bytes } = await packed();
    writeFileSync(path, bytes.subarray(0, bytes.indexOf(b.subarray(0, 64))));
    await expect(engine.unpack({ path }, out)).rejects.toMatchObject({ code: "DAMAGED" });
    await engine.unpack({ path }, out, { keepGoing: true });
    expect(lostFrames(out, "a", a)).toEqual([]);
  });

  it("writes no list when nothing is lost", async () => {
    const { engine, path, out } = await packed();
    await engine.unpack({ path }, out, { keepGoing: true });
    expect(readdirSync(out)).toEqual(["a", "b"]);
  });
});
