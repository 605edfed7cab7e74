// XXH3-128 of pages against the slow one and against hash-wasm.
import { xxhash128 } from "hash-wasm";
import { describe, expect, it } from "vitest";
import { PAGE_BYTES } from "../../src/core/page.ts";
import { type Fingerprint, xxh3Long128 } from "../oracle/fingerprint.ts";
import { builds, FIRST_FREE_BYTE, openKernels } from "../support/kernels.ts";
import { edgePages } from "../support/pages.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const random = seededRandom(randomSeed("fingerprint"));
const PAGES_PTR = FIRST_FREE_BYTE;
const OUT_PTR = FIRST_FREE_BYTE + 128 * PAGE_BYTES;

function hex({ low, high }: Fingerprint): string {
  return high.toString(16).padStart(16, "0") + low.toString(16).padStart(16, "0");
}

describe("the XXH3-128 oracle", () => {
  it("says what hash-wasm says, for any long length", async () => {
    for (const length of [241, 255, 256, 1024, 1025, 1088, 2048, 4095, 4096, 4097, 5000]) {
      const input = random.bytes(length);
      expect(hex(xxh3Long128(input)), `${length} bytes`).toBe(await xxhash128(input));
    }
  });

  it("refuses lengths that it does not know", () => {
    expect(() => xxh3Long128(new Uint8Array(240))).toThrow("240 bytes");
  });
});

describe.each(builds)("fingerprint ($name)", ({ name }) => {
  const { kernels, bytes, view } = openKernels(name, 256 * PAGE_BYTES);
  function read(index: number): Fingerprint {
    const at = OUT_PTR + index * 16;
    return { low: view.getBigUint64(at, true), high: view.getBigUint64(at + 8, true) };
  }
  function fingerprint(page: Uint8Array): string {
    bytes.set(page, PAGES_PTR);
    kernels.fingerprintPages(PAGES_PTR, 1, OUT_PTR);
    return hex(read(0));
  }

  it("has the published value of known pages", () => {
    expect(fingerprint(new Uint8Array(PAGE_BYTES))).toBe("3ee8dc4f9e7ee49593d76fe148c689ba");
  });

  it("says what the oracle and hash-wasm say on the edges", async () => {
    for (const { name: edge, page } of edgePages(random)) {
      expect(fingerprint(page), edge).toBe(hex(xxh3Long128(page)));
      expect(fingerprint(page), edge).toBe(await xxhash128(page));
    }
  });

  it("says what hash-wasm says when any single byte is changed", async () => {
    const page = random.bytes(PAGE_BYTES);
    for (let at = 0; at < PAGE_BYTES; at++) {
      page[at] ^= 1 + random.int(255);
      const got = fingerprint(page);
      if (got !== (await xxhash128(page))) expect.fail(`byte ${at}: ${got}`);
    }
  });

  it("fingerprints many pages in one call, and none", () => {
    const pages = random.bytes(100 * PAGE_BYTES);
    bytes.set(pages, PAGES_PTR);
    bytes.fill(0xaa, OUT_PTR, OUT_PTR + 101 * 16);
    kernels.fingerprintPages(PAGES_PTR, 0, OUT_PTR);
    expect(bytes[OUT_PTR]).toBe(0xaa);
    kernels.fingerprintPages(PAGES_PTR, 100, OUT_PTR);
    for (let i = 0; i < 100; i += 9) {
      const page = pages.subarray(i * PAGE_BYTES, (i + 1) * PAGE_BYTES);
      expect(read(i)).toEqual(xxh3Long128(page));
    }
    const untouched = bytes.subarray(PAGES_PTR, PAGES_PTR + pages.length);
    expect(Buffer.compare(untouched, pages), "the pages themselves").toBe(0);
    expect(bytes[OUT_PTR + 1600], "behind the last fingerprint").toBe(0xaa);
  });
});
