// The worked example of docs/format.md §6: what it shows must be what is written. Every line of it
// that begins with an offset is compared, as far as it lists bytes one after another.
import { readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { succeed } from "../support/cli.ts";
import { temporaryFolder } from "../support/folder.ts";

const PAGE_BYTES = 4096;
const text = readFileSync(new URL("../../docs/format.md", import.meta.url), "utf8");
const example = text.slice(text.indexOf("## 6."), text.indexOf("## 7."));
const deltaAt = example.indexOf("**A delta.**");

function image(firstWord: string): Buffer {
  const page = Buffer.alloc(PAGE_BYTES);
  page.write("one page of memory\n");
  const uniform = Buffer.alloc(PAGE_BYTES, "ABCDEFG\n");
  const first = Buffer.from(page);
  first.write(firstWord);
  const pages = [first, Buffer.alloc(PAGE_BYTES), uniform, page];
  return Buffer.concat([...pages, Buffer.from("end\n")]);
}

function writeImage(folder: string, name: string, bytes: Buffer): void {
  writeFileSync(join(folder, name), bytes);
  utimesSync(join(folder, name), 0, 0);
}

/** The lines "offset  bytes …" of a dump, as far as bytes are listed. */
function dumpLines(dump: string): { offset: number; bytes: string }[] {
  return [...dump.matchAll(/^ {4}([0-9a-f]{4}) {2}(.*)$/gm)].flatMap(([, offset, rest]) => {
    const [bytes] = /^([0-9a-f]{2}( {1,2}|$))*/.exec(rest) ?? [""];
    return bytes ? [{ offset: Number.parseInt(offset, 16), bytes: bytes.replace(/ /g, "") }] : [];
  });
}

function expectDump(archive: Buffer, dump: string, lineCount: number): void {
  const lines = dumpLines(dump);
  expect(lines.length).toBeGreaterThan(lineCount);
  const found = lines.map(({ offset, bytes }) => {
    return { offset, bytes: archive.toString("hex", offset, offset + bytes.length / 2) };
  });
  expect(found).toEqual(lines);
}

it("docs/format.md: shows the bytes of an archive and of one with a base", async () => {
  const folder = temporaryFolder();
  writeImage(folder, "tiny.raw", image("one"));
  await succeed(["pack", "-q", "--level", "fast", "tiny.raw", "-o", "tiny.pfa"], folder);
  const archive = readFileSync(join(folder, "tiny.pfa"));
  expect(example).toContain(`The archive has ${archive.length} bytes`);
  expectDump(archive, example.slice(0, deltaAt), 40);

  writeImage(folder, "next.raw", image("two"));
  await succeed(
    ["pack", "-q", "--level", "fast", "--base", "tiny.raw", "next.raw", "-o", "next.pfa"],
    folder,
  );
  expectDump(readFileSync(join(folder, "next.pfa")), example.slice(deltaAt), 6);
});
