// Copying mappings from a made-up memory, in which each page is content, untouched or unreadable.
import { describe, expect, test } from "vitest";
import { parseMaps } from "../../../src/image/process/maps.ts";
import { MemoryCopy } from "../../../src/image/process/memorycopy.ts";
import { type SeededRandom, seededRandom } from "../../support/random.ts";

const PAGE = 4096;
const BASE = 0x7f0000000000;

/** Memory from BASE on, one letter a page: x content, . untouched, # unreadable. */
function fakeMemory(pages: string, random: SeededRandom) {
  const bytes = Buffer.alloc(pages.length * PAGE);
  [...pages].forEach((page, i) => {
    if (page === "x") bytes.set(random.bytes(PAGE), i * PAGE);
  });
  const pageAt = (address: bigint) => Number(address - BigInt(BASE)) / PAGE;
  return {
    bytes,
    async read(address: bigint, into: Uint8Array) {
      const first = pageAt(address);
      let end = first;
      while (end < first + into.length / PAGE && pages[end] !== "#") end++;
      into.set(bytes.subarray(first * PAGE, end * PAGE));
      const byteLength = (end - first) * PAGE;
      return byteLength < into.length ? { byteLength, reason: "refused" } : { byteLength };
    },
    async touched(address: bigint, byteLength: number) {
      const there = pages.slice(pageAt(address), pageAt(address) + byteLength / PAGE);
      const first = there.search(/[^.]/);
      if (first < 0) return undefined;
      return { start: first * PAGE, end: there.replace(/\.+$/, "").length * PAGE };
    },
  };
}

async function copy(pages: string, permissions = "rw-p", inode = 0) {
  const memory = fakeMemory(pages, seededRandom(pages.length));
  const file = Buffer.alloc(100 * PAGE + memory.bytes.length, 0xee);
  const written: number[] = [];
  const target = {
    async write(byteOffset: number, bytes: Uint8Array) {
      file.set(bytes, byteOffset);
      written.push(byteOffset / PAGE, bytes.length / PAGE);
    },
  };
  const end = (BASE + memory.bytes.length).toString(16);
  const [mapping] = parseMaps(`${BASE.toString(16)}-${end} ${permissions} 0 00:00 ${inode} `);
  const copied = new MemoryCopy(memory, target, 100 * PAGE);
  let done = 0;
  await copied.add(mapping, (byteLength) => {
    done += byteLength;
  });
  expect(done).toBe(memory.bytes.length);
  const [{ byteLength, byteOffset }] = copied.mappings;
  expect(byteOffset).toBe(100 * PAGE);
  expect(copied.fileEnd).toBe(byteOffset + byteLength);
  const unreadable = copied.unreadable.map((range) => [
    Number(range.address - BigInt(BASE)) / PAGE,
    range.byteLength / PAGE,
    range.reason,
  ]);
  return { memory, file: file.subarray(byteOffset), written, byteLength, unreadable };
}

describe("memorycopy", () => {
  test("what was never touched is not read, and is part of the file", async () => {
    const { written, byteLength, memory, file } = await copy("..xx.x....");
    expect(written).toEqual([102, 4]);
    expect(byteLength).toBe(10 * PAGE);
    expect(file.subarray(2 * PAGE, 6 * PAGE).equals(memory.bytes.subarray(2 * PAGE, 6 * PAGE)));
    expect((await copy("......")).written).toEqual([]);
    expect((await copy("......")).byteLength).toBe(6 * PAGE);
  });

  test("a file's pages are read, touched or not", async () => {
    expect((await copy("..x.", "r--p", 7)).written).toEqual([100, 4]);
    expect((await copy("..x.", "rw-s", 0)).written).toEqual([100, 4]);
  });

  test("an unreadable page in the middle is listed, the rest kept", async () => {
    const { file, memory, byteLength, unreadable } = await copy("xx##x", "r--p", 7);
    expect(byteLength).toBe(5 * PAGE);
    expect(unreadable).toEqual([[2, 2, "refused"]]);
    expect(file.subarray(0, 2 * PAGE).equals(memory.bytes.subarray(0, 2 * PAGE))).toBe(true);
    expect(file.subarray(4 * PAGE, 5 * PAGE).equals(memory.bytes.subarray(4 * PAGE))).toBe(true);
  });

  test("an unreadable end is left off, an unreadable mapping has no bytes", async () => {
    const tail = await copy("xx###", "r--p", 7);
    expect(tail.byteLength).toBe(2 * PAGE);
    expect(tail.unreadable).toEqual([[2, 3, "refused"]]);
    const all = await copy("###", "r--p", 7);
    expect(all.byteLength).toBe(0);
    expect(all.unreadable).toEqual([[0, 3, "refused"]]);
  });

  test("an untouched page behind an unreadable one is known", async () => {
    expect((await copy(".#.")).byteLength).toBe(3 * PAGE);
    expect((await copy(".##")).byteLength).toBe(PAGE);
  });

  test("ranges join across pieces of 1 MiB", async () => {
    const pages = `${"x".repeat(250)}${"#".repeat(300)}${"x".repeat(50)}${"#".repeat(200)}`;
    const { byteLength, unreadable, file, memory } = await copy(pages, "r--p", 7);
    expect(byteLength).toBe(600 * PAGE);
    expect(unreadable).toEqual([
      [250, 300, "refused"],
      [600, 200, "refused"],
    ]);
    expect(
      file.subarray(550 * PAGE, 600 * PAGE).equals(memory.bytes.subarray(550 * PAGE, 600 * PAGE)),
    ).toBe(true);
  });

  test("address space that is only reserved is not even looked at", async () => {
    const { byteLength, written } = await copy("xxx", "---p");
    expect(byteLength).toBe(0);
    expect(written).toEqual([]);
  });
});
