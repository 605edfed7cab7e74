// A core that is made of a dump has the dump's notes and machine, if they are there.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openTestEngine } from "../../support/engine.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { makeKdump } from "../../support/kdump.ts";
import { loadsOfCore } from "../../support/memoryfiles.ts";
import { seededRandom } from "../../support/random.ts";

const random = seededRandom(4);
const PAGES = Array.from({ length: 8 }, (_, frame) => {
  return { frame: frame * 2, bytes: random.bytes(4096), kind: "plain" as const };
});
const SUB_HEAD = 4096;
const NOTES = random.bytes(333);

/** A dump with notes behind its pages; the sub head may say something else of them. */
function dump({ offset, byteLength = NOTES.length }: { offset?: bigint; byteLength?: number }) {
  const file = makeKdump({ pages: PAGES });
  const whole = Buffer.concat([file, NOTES]);
  whole.writeBigUInt64LE(offset ?? BigInt(file.length), SUB_HEAD + 48);
  whole.writeBigUInt64LE(BigInt(byteLength), SUB_HEAD + 56);
  return whole;
}

async function coreOf(bytes: Uint8Array): Promise<Buffer> {
  const engine = await openTestEngine();
  const folder = temporaryFolder();
  writeFileSync(join(folder, "a.kdump"), bytes);
  const archive = join(folder, "A.pfa");
  await engine.pack([{ name: "a.kdump", path: join(folder, "a.kdump") }], { path: archive });
  const { images } = await engine.unpack({ path: archive }, folder, { as: "elf" });
  return readFileSync(images[0].path);
}

/** What the first program header, of the type NOTE, says is there. */
function notesOf(core: Buffer): Buffer {
  expect(core.readUInt32LE(64)).toBe(4);
  const offset = Number(core.readBigUInt64LE(64 + 8));
  return core.subarray(offset, offset + Number(core.readBigUInt64LE(64 + 32)));
}

describe("a core made of a dump", () => {
  it("has its notes, its machine and its pages", async () => {
    const core = await coreOf(dump({}));
    expect(notesOf(core).equals(NOTES)).toBe(true);
    expect(core.readUInt16LE(18)).toBe(62);
    const loads = loadsOfCore(core);
    expect(loads.map(({ physical }) => Number(physical) / 4096)).toEqual([
      0, 2, 4, 6, 8, 10, 12, 14,
    ]);
    loads.forEach(({ bytes }, i) => {
      expect(Buffer.compare(bytes, PAGES[i].bytes)).toBe(0);
    });
  });

  it("says of which machine it is", async () => {
    const other = dump({});
    other.fill(0, 12 + 4 * 65, 12 + 5 * 65).write("aarch64", 12 + 4 * 65);
    expect((await coreOf(other)).readUInt16LE(18)).toBe(183);
    other.write("toString", 12 + 4 * 65);
    expect((await coreOf(other)).readUInt16LE(18)).toBe(62);
  });

  it.each([
    { offset: 2n ** 64n - 1n },
    { offset: 4096n, byteLength: 2 ** 50 },
    { byteLength: NOTES.length + 1 },
    { byteLength: 0 },
  ])("has no notes where there are none: %o", async (claim) => {
    expect(notesOf(await coreOf(dump(claim)))).toHaveLength(0);
  });
});
