// Collecting memory page by page, against a plain map of pages: any order, pages that come again,
// zeros over them, and parts that are no memory.
import { open } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { spoolMemory } from "../../../src/image/convert/memoryspool.ts";
import type { Part } from "../../../src/image/woven.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { randomSeed, seededRandom } from "../../support/random.ts";

const PAGE_BYTES = 4096;

async function spooled(parts: readonly Part[]) {
  const path = join(temporaryFolder(), "pages");
  const handle = await open(path, "wx+");
  onTestFinished(() => handle.close());
  const all = (async function* () {
    yield* parts;
  })();
  return spoolMemory(all, { fd: handle.fd, path }, { name: "a.dump" });
}

/** Pages by address, as the view has them; also checks that ranges rise and do not overlap. */
async function pagesOf(view: Awaited<ReturnType<typeof spooled>>): Promise<Map<number, Buffer>> {
  const pages = new Map<number, Buffer>();
  let reached = -1n;
  for (const { start, end, address } of view.ranges()) {
    expect(address > reached).toBe(true);
    reached = address + BigInt(end - start) - 1n;
    for (let at = start; at < end; at += PAGE_BYTES) {
      const page = Buffer.alloc(PAGE_BYTES, 0xee);
      expect(await view.read(at, page)).toBe(PAGE_BYTES);
      pages.set(Number(address) + at - start, page);
    }
  }
  return pages;
}

const plain = (address: number, pages: Uint8Array): Part => {
  return { kind: "pages", form: { as: "plain" }, address, pages };
};
const zeros = (address: number, pageCount: number): Part => {
  return { kind: "zeros", form: { as: "nothing" }, address, pageCount };
};

describe("memoryspool", () => {
  it("has the last content of each page, and no others", async () => {
    const random = seededRandom(randomSeed("memoryspool"));
    for (let round = 0; round < 6; round++) {
      const wanted = new Map<number, Buffer>();
      const parts: Part[] = [];
      for (let i = random.int(60); i > 0; i--) {
        const address = (random.int(1200) + (random.int(2) << 22)) * PAGE_BYTES;
        const pageCount = 1 + random.int(300);
        const pages = Buffer.alloc(pageCount * PAGE_BYTES, random.bytes(5000));
        const isZero = random.int(3) === 0;
        parts.push(isZero ? zeros(address, pageCount) : plain(address, pages));
        if (isZero) pages.fill(0);
        for (let at = 0; at < pages.length; at += PAGE_BYTES) {
          wanted.set(address + at, pages.subarray(at, at + PAGE_BYTES));
        }
      }
      const found = await pagesOf(await spooled(parts));
      expect([...found.keys()]).toEqual([...wanted.keys()].sort((a, b) => a - b));
      for (const [address, page] of found) {
        if (!page.equals(wanted.get(address) as Buffer)) expect.fail(`page at ${address}`);
      }
    }
  });

  it("leaves out what is no memory and what is that of devices", async () => {
    const page = new Uint8Array(PAGE_BYTES).fill(7);
    const found = await spooled([
      { kind: "literal", bytes: page },
      { kind: "pages", form: { as: "plain" }, pages: page },
      { ...plain(0, page), block: "vga.vram" } as Part,
      plain(PAGE_BYTES * 3, page),
    ]);
    expect([...(await pagesOf(found)).keys()]).toEqual([PAGE_BYTES * 3]);
  });

  it("refuses pages where none can be, and too many places", async () => {
    const page = new Uint8Array(PAGE_BYTES);
    const odd = spooled([plain(0x1001, page)]);
    await expect(odd).rejects.toMatchObject({
      code: "FORMAT",
      message: "a.dump: has a page at address 0x1001, where no page can be",
    });
    await expect(spooled([plain(2 ** 53, page)])).rejects.toMatchObject({ code: "FORMAT" });
    await expect(spooled([plain(-4096, page)])).rejects.toMatchObject({ code: "FORMAT" });
    await expect(spooled([zeros(0, 2 ** 31)])).rejects.toMatchObject({
      code: "LIMIT",
      message: "a.dump: its memory is scattered over more than 4194304 MiB",
    });
  });

  it("refuses an image that hides some of its memory", async () => {
    const hidden: Part = { kind: "literal", bytes: new Uint8Array(9), hides: "encoded pages" };
    await expect(spooled([plain(0, new Uint8Array(PAGE_BYTES)), hidden])).rejects.toMatchObject({
      code: "FORMAT",
      message: "a.dump: holds encoded pages, whose memory is not read",
    });
  });
});
