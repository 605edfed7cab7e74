// With what an archive is sealed, as its superblocks say it, and which key opens it.
import { createSecretKey, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { isSealed, openSeal } from "../../src/archive/openseal.ts";
import { loadChecksum } from "../../src/wire/checksum.ts";
import { ArchiveSeal } from "../../src/wire/seal.ts";
import { encodeSuperblock, UNCOMMITTED } from "../../src/wire/superblock.ts";
import { temporaryFolder } from "../support/folder.ts";
import { sampleArchive } from "../support/samplearchive.ts";

const bytes = randomBytes(32);
const { mark } = ArchiveSeal.create(createSecretKey(bytes));
const sealed = { ...UNCOMMITTED, seal: mark };

it("openseal: takes a key, as bytes or as an object, and tries it on either superblock", () => {
  for (const key of [bytes, createSecretKey(bytes)]) {
    for (const blocks of [
      [sealed, sealed],
      [undefined, sealed],
      [sealed, undefined],
    ]) {
      expect(openSeal(blocks, key, "A.pfa")?.mark).toEqual(mark);
    }
  }
  expect(openSeal([UNCOMMITTED, undefined], undefined, "A.pfa")).toBeUndefined();
  expect(openSeal([undefined, undefined], undefined, "A.pfa")).toBeUndefined();
});

it("openseal: says what is wrong with a key", () => {
  const other = { ...UNCOMMITTED, seal: ArchiveSeal.create(createSecretKey(bytes)).mark };
  const cases = [
    [[sealed, sealed], undefined, "A.pfa: is sealed: its key is needed (--key-file)"],
    [[sealed, sealed], randomBytes(32), "A.pfa: is sealed with another key"],
    [[UNCOMMITTED, UNCOMMITTED], bytes, "A.pfa: is not sealed: it takes no key"],
    [[sealed, UNCOMMITTED], bytes, "A.pfa: its superblocks name different seals"],
    [[UNCOMMITTED, sealed], undefined, "A.pfa: its superblocks name different seals"],
    [[sealed, other], bytes, "A.pfa: its superblocks name different seals"],
    [[undefined, undefined], bytes, "A.pfa: both superblocks are damaged"],
  ] as const;
  for (const [blocks, key, message] of cases) {
    expect(() => openSeal(blocks, key, "A.pfa")).toThrow(
      expect.objectContaining({ code: "KEY", message: expect.stringContaining(message) }),
    );
  }
  expect(() => openSeal([sealed, sealed], bytes.subarray(1), "A.pfa")).toThrow("31 bytes");
});

it("openseal: tells whether a file is sealed", async () => {
  const folder = temporaryFolder();
  const checksum = await loadChecksum();
  const block = encodeSuperblock(UNCOMMITTED, checksum, mark);
  const torn = Buffer.concat([Buffer.alloc(4096), block]);
  const { bytes: open } = await sampleArchive(1);
  const files = { sealed: [block, block], torn: [torn], open: [open], empty: [], text: ["text"] };
  const found: Record<string, boolean> = {};
  for (const [name, parts] of Object.entries(files)) {
    const path = join(folder, name);
    writeFileSync(path, Buffer.concat(parts.map((part) => Buffer.from(part))));
    found[name] = await isSealed(path);
  }
  expect(found).toEqual({ sealed: true, torn: true, open: false, empty: false, text: false });
  await expect(isSealed(join(folder, "none"))).rejects.toMatchObject({ code: "INPUT" });
});
