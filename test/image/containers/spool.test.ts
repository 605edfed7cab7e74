// Content becomes a file without a name, or one clear line; nothing stays behind.
import { readdirSync, readSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { spool } from "../../../src/image/containers/spool.ts";
import { inPieces } from "../../support/engine.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { mixed } from "../../support/images.ts";
import { seededRandom } from "../../support/random.ts";

const content = mixed(seededRandom(3), 300).subarray(0, -77);

/** A temporary directory of this test's own. */
function inFolder(folder: string): string {
  const before = process.env.TMPDIR;
  onTestFinished(() => {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  });
  process.env.TMPDIR = folder;
  return folder;
}

test("spool: all bytes in any order, in a file that has no name", async () => {
  const folder = inFolder(temporaryFolder());
  const stored = await spool(inPieces(content, 9999), "a.kdump");
  onTestFinished(() => stored.close());
  expect(stored).toMatchObject({ path: "a.kdump", byteLength: content.length });
  expect(readdirSync(folder)).toEqual([]);
  const bytes = Buffer.alloc(5000);
  readSync(stored.fd, bytes, 0, 5000, 100_001);
  expect(bytes.equals(content.subarray(100_001, 105_001))).toBe(true);
});

test("spool: says where there is no room, and leaves nothing behind", async () => {
  const folder = temporaryFolder();
  const none = inFolder(join(folder, "none"));
  await expect(spool(inPieces(content, 9999), "a")).rejects.toMatchObject({
    code: "OUTPUT",
    message: `${none}: no such file or directory after 0 bytes of a (TMPDIR names another place)`,
  });
  inFolder(folder);
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield content;
    throw new Error("broken");
  }
  await expect(spool(broken(), "a")).rejects.toThrow("broken");
  const signal = AbortSignal.abort(new Error("enough"));
  await expect(spool(inPieces(content, 9999), "a", signal)).rejects.toThrow("enough");
  expect(readdirSync(folder)).toEqual([]);
});
