// Pages in and zlib streams out, more of them than go through the kernel at once. What the streams
// are made of is tested in test/assembly/deflate.
import { deflate } from "pako";
import { describe, expect, it } from "vitest";
import { ZlibPages } from "../../src/kernels/deflate.ts";
import { compileKernels } from "../../src/kernels/load.ts";
import { wasmPath } from "../support/kernels.ts";
import { memoryLike } from "../support/lz4-inputs.ts";
import { randomSeed } from "../support/random.ts";

const seed = randomSeed("zlib pages");
const zlib = new ZlibPages(compileKernels(wasmPath("release")));

describe("zlib pages", () => {
  it.each([
    { pageBytes: 4096, pageCount: 0 },
    { pageBytes: 4096, pageCount: 1 },
    { pageBytes: 4096, pageCount: 64 },
    { pageBytes: 4096, pageCount: 65 },
    { pageBytes: 16384, pageCount: 33 },
    { pageBytes: 65536, pageCount: 9 },
    { pageBytes: 1, pageCount: 600 },
  ])("are $pageCount streams of $pageBytes bytes each", ({ pageBytes, pageCount }) => {
    const pages = memoryLike(pageBytes * pageCount, seed);
    const { bytes, lengths } = zlib.deflate(pages, pageBytes);
    expect(lengths.length).toBe(pageCount);
    const wanted = Array.from({ length: pageCount }, (_, page) =>
      deflate(pages.subarray(page * pageBytes, (page + 1) * pageBytes), {
        level: 1,
        legacyHash: true,
      }),
    );
    expect([...lengths]).toEqual(wanted.map((stream) => stream.length));
    expect(Buffer.compare(bytes, Buffer.concat(wanted))).toBe(0);
  });

  it.each([
    { bytes: 4097, pageBytes: 4096 },
    { bytes: 65537, pageBytes: 65537 },
    { bytes: 0, pageBytes: 0 },
  ])("are refused as $bytes bytes in pages of $pageBytes", ({ bytes, pageBytes }) => {
    expect(() => zlib.deflate(new Uint8Array(bytes), pageBytes)).toThrow(RangeError);
  });
});
