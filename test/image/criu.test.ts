// Folders of CRIU images: what is counted in them, which are refused, and what mutated ones do.
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { PagefoldError } from "../../src/core/errors.ts";
import { readCriuFolder } from "../../src/image/criu.ts";
import { type CriuProcess, writeCriu } from "../support/criu.ts";
import { temporaryFolder } from "../support/folder.ts";
import { mixed } from "../support/images.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const random = seededRandom(randomSeed("criu"));
const PROCESSES: CriuProcess[] = [
  {
    pid: 7,
    stretches: [
      { address: 0x40_0000, pageCount: 3, flags: 4 },
      { address: 0x80_0000, pageCount: 9, flags: 1 },
      { address: 0x90_0000, pageCount: 200, flags: 6 },
    ],
    pages: mixed(random, 203),
  },
  {
    pid: 12,
    stretches: [
      { address: 0x40_0000, pageCount: 2 },
      { address: 0x50_0000, pageCount: 5, isInParent: true },
    ],
    pages: mixed(random, 2),
  },
];

describe("criu folders", () => {
  test("have processes, pages and files", async () => {
    const folder = temporaryFolder();
    const files = writeCriu(folder, PROCESSES);
    mkdirSync(join(folder, "sub"));
    symlinkSync("../before", join(folder, "parent"));
    expect(await readCriuFolder(folder)).toEqual({
      files: Object.keys(files).sort(),
      processCount: 2,
      pageCount: 205,
    });
  });

  test("are told by their inventory", async () => {
    const folder = temporaryFolder();
    const refused = {
      code: "INPUT",
      message: `${folder}: is a directory without CRIU's inventory.img; name the files in it`,
    };
    await expect(readCriuFolder(folder)).rejects.toMatchObject(refused);
    writeFileSync(join(folder, "inventory.img"), "something else");
    await expect(readCriuFolder(folder)).rejects.toMatchObject(refused);
    await expect(readCriuFolder(join(folder, "none"))).rejects.toMatchObject({
      message: `${join(folder, "none")}: no such file or directory`,
    });
  });

  test("with pages that a newer CRIU has compressed are refused by name", async () => {
    const folder = temporaryFolder();
    const stretches = [{ address: 0x40_0000, pageCount: 4, flags: 4, newer: 6 }];
    writeCriu(folder, [{ pid: 1, stretches, pages: random.bytes(5000) }]);
    await expect(readCriuFolder(folder)).rejects.toMatchObject({
      code: "INPUT",
      message:
        `${join(folder, "pages-1.img")}: its pages are compressed, as CRIU does after 4.2, ` +
        "and those are not read: crit decompress",
    });
    // Something else that is new does not matter.
    writeCriu(folder, [{ pid: 1, stretches, pages: random.bytes(4 * 4096) }]);
    expect(await readCriuFolder(folder)).toMatchObject({ pageCount: 4 });
  });

  test("may be mutated", { timeout: 30 * 60_000 }, async () => {
    const folder = temporaryFolder();
    const files = writeCriu(folder, PROCESSES);
    const rounds = Number(process.env.PAGEFOLD_FUZZ_ROUNDS ?? 300);
    for (let round = 0; round < rounds; round++) {
      const name = ["pstree.img", "pagemap-7.img", "pagemap-12.img"][round % 3];
      const bytes = new Uint8Array(files[name]);
      for (let i = 1 + random.int(4); i > 0; i--) bytes[random.int(bytes.length)] = random.int(256);
      const cut = random.int(3) === 0 ? random.int(bytes.length) : bytes.length;
      writeFileSync(join(folder, name), bytes.subarray(0, cut));
      const found = await readCriuFolder(folder).catch((error: unknown) => error);
      if (found instanceof PagefoldError) expect(found.code).toBe("INPUT");
      else expect(found).toMatchObject({ files: Object.keys(files).sort() });
    }
  });
});
