// BLAKE3-256 of the kernels against the vectors, the slow one and hash-wasm.
import { readFileSync } from "node:fs";
import { blake3 as hashWasm } from "hash-wasm";
import { describe, expect, it } from "vitest";
import { PAGE_BYTES } from "../../src/core/page.ts";
import { BLAKE3_SCRATCH_BYTES, DIGEST_BYTES } from "../../src/kernels/abi.ts";
import { blake3Oracle } from "../oracle/blake3.ts";
import { builds, FIRST_FREE_BYTE, openKernels } from "../support/kernels.ts";
import { edgePages, painted } from "../support/pages.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

interface Vectors {
  key: string;
  cases: { byteLength: number; hash: string; keyed: string }[];
}
const vectors: Vectors = JSON.parse(
  readFileSync(new URL("../vectors/blake3.json", import.meta.url), "utf8"),
);
const KEY = Buffer.from(vectors.key);

const random = seededRandom(randomSeed("blake3"));
const MARGIN_BYTES = 64;
const KEY_PTR = FIRST_FREE_BYTE;
const SCRATCH_PTR = KEY_PTR + 32 + MARGIN_BYTES;
const OUT_PTR = SCRATCH_PTR + BLAKE3_SCRATCH_BYTES + MARGIN_BYTES;
const LIST_PTR = OUT_PTR + 8192;
const INPUT_PTR = LIST_PTR + 8192;
const INPUT_BYTES = 1 << 20;

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

describe("the BLAKE3 oracle", () => {
  it.each(vectors.cases)("knows the vector of $byteLength bytes", ({ byteLength, hash, keyed }) => {
    expect(hex(blake3Oracle(painted(byteLength)))).toBe(hash);
    expect(hex(blake3Oracle(painted(byteLength), KEY))).toBe(keyed);
  });

  it("refuses a key of another length", () => {
    expect(() => blake3Oracle(KEY, KEY.subarray(1))).toThrow("31 bytes");
  });
});

describe.each(builds)("blake3 ($name)", ({ name }) => {
  const { kernels, bytes } = openKernels(name, INPUT_PTR + INPUT_BYTES - FIRST_FREE_BYTE);

  function blake3(input: Uint8Array, key?: Uint8Array, ptr = INPUT_PTR): string {
    bytes.set(input, ptr);
    if (key) bytes.set(key, KEY_PTR);
    kernels.blake3(ptr, input.length, key ? KEY_PTR : 0, SCRATCH_PTR, OUT_PTR);
    return hex(bytes.slice(OUT_PTR, OUT_PTR + DIGEST_BYTES));
  }

  it.each(vectors.cases)("knows the vector of $byteLength bytes", ({ byteLength, hash, keyed }) => {
    expect(blake3(painted(byteLength))).toBe(hash);
    expect(blake3(painted(byteLength), KEY)).toBe(keyed);
  });

  it("says what the oracle and hash-wasm say around whole blocks, chunks, pages", async () => {
    for (const edge of [64, 128, 960, 1024, 2048, 3072, 4096, 8192, 12288]) {
      for (const byteLength of [edge - 1, edge, edge + 1]) {
        const [input, key] = [random.bytes(byteLength), random.bytes(32)];
        const keyed = blake3(input, key);
        expect(keyed, `${byteLength} bytes`).toBe(hex(blake3Oracle(input, key)));
        expect(keyed, `${byteLength} bytes`).toBe(await hashWasm(input, 256, key));
        expect(blake3(input), `${byteLength} bytes`).toBe(await hashWasm(input));
      }
    }
  });

  it("says what hash-wasm says of many levels, all zero, all 0xFF, random", async () => {
    for (const byteLength of [65535, 65536, 65537, 1 << 18, (1 << 18) + 1, 1_000_000]) {
      for (const input of [
        new Uint8Array(byteLength),
        new Uint8Array(byteLength).fill(0xff),
        random.bytes(byteLength),
      ]) {
        expect(blake3(input), `${byteLength} bytes`).toBe(await hashWasm(input));
      }
    }
  });

  it("does not care where the input lies", () => {
    const input = random.bytes(3333);
    const expected = hex(blake3Oracle(input, KEY));
    for (let shift = 0; shift < 33; shift++) {
      expect(blake3(input, KEY, INPUT_PTR + shift)).toBe(expected);
    }
  });

  it("writes its scratch and one digest, nothing else", () => {
    const input = random.bytes(100_001);
    const expected = hex(blake3Oracle(input, KEY));
    bytes.fill(0xaa, SCRATCH_PTR - MARGIN_BYTES, INPUT_PTR);
    expect(blake3(input, KEY)).toBe(expected);
    expectPaint(SCRATCH_PTR - MARGIN_BYTES, SCRATCH_PTR);
    expectPaint(SCRATCH_PTR + BLAKE3_SCRATCH_BYTES, OUT_PTR);
    expectPaint(OUT_PTR + DIGEST_BYTES, INPUT_PTR);
    const untouched = bytes.subarray(INPUT_PTR, INPUT_PTR + input.length);
    expect(Buffer.compare(untouched, input), "the input itself").toBe(0);
  });

  function expectPaint(start: number, end: number): void {
    const isPaint = bytes.subarray(start, end).every((byte) => byte === 0xaa);
    expect(isPaint, `bytes ${start - SCRATCH_PTR} to ${end - SCRATCH_PTR} of the scratch`).toBe(
      true,
    );
  }
});

describe.each(builds)("digestPages ($name)", ({ name }) => {
  const { kernels, bytes, view } = openKernels(name, INPUT_PTR + INPUT_BYTES - FIRST_FREE_BYTE);

  /** Digests of listed pages of those that lie at INPUT_PTR. */
  function digest(list: readonly number[], key: Uint8Array = KEY): string[] {
    bytes.set(key, KEY_PTR);
    for (const [i, page] of list.entries()) view.setUint32(LIST_PTR + i * 4, page, true);
    kernels.digestPages(INPUT_PTR, LIST_PTR, list.length, KEY_PTR, SCRATCH_PTR, OUT_PTR);
    return list.map((_, i) => {
      const at = OUT_PTR + i * DIGEST_BYTES;
      return hex(bytes.slice(at, at + DIGEST_BYTES));
    });
  }

  it("knows the vector of a page", () => {
    bytes.set(painted(PAGE_BYTES), INPUT_PTR);
    const page = vectors.cases.find(({ byteLength }) => byteLength === PAGE_BYTES);
    expect(digest([0])).toEqual([page?.keyed]);
  });

  it("says what the oracle and hash-wasm say on the edges", async () => {
    const pages = edgePages(random);
    for (const [i, { page }] of pages.entries()) bytes.set(page, INPUT_PTR + i * PAGE_BYTES);
    const key = random.bytes(32);
    const digests = digest([...pages.keys()], key);
    for (const [i, { name: edge, page }] of pages.entries()) {
      expect(digests[i], edge).toBe(hex(blake3Oracle(page, key)));
      expect(digests[i], edge).toBe(await hashWasm(page, 256, key));
    }
  });

  it("says what the oracle says when any single byte is changed", async () => {
    const page = random.bytes(PAGE_BYTES);
    for (let at = 0; at < PAGE_BYTES; at += 1 + random.int(8)) {
      page[at] ^= 1 + random.int(255);
      bytes.set(page, INPUT_PTR);
      const [got] = digest([0]);
      if (got !== (await hashWasm(page, 256, KEY))) expect.fail(`byte ${at}: ${got}`);
    }
  });

  it("follows a list of any length, in its order, with pages twice", async () => {
    const pageCount = INPUT_BYTES / PAGE_BYTES;
    bytes.set(random.bytes(INPUT_BYTES), INPUT_PTR);
    for (const count of [0, 1, 2, 3, 4, 5, 7, 8, 9, 100]) {
      const list = Array.from({ length: count }, () => random.int(pageCount));
      const expected = [];
      for (const page of list) {
        const at = INPUT_PTR + page * PAGE_BYTES;
        expected.push(await hashWasm(bytes.slice(at, at + PAGE_BYTES), 256, KEY));
      }
      expect(digest(list), `${count} pages`).toEqual(expected);
    }
  });

  it("writes its scratch and as many digests as pages, nothing else", () => {
    const pages = random.bytes(INPUT_BYTES);
    bytes.set(pages, INPUT_PTR);
    for (const count of [0, 1, 3, 4, 6]) {
      bytes.fill(0xaa, SCRATCH_PTR - MARGIN_BYTES, LIST_PTR);
      digest(Array.from({ length: count }, (_, i) => i));
      for (const [start, end] of [
        [SCRATCH_PTR - MARGIN_BYTES, SCRATCH_PTR],
        [SCRATCH_PTR + BLAKE3_SCRATCH_BYTES, OUT_PTR],
        [OUT_PTR + count * DIGEST_BYTES, LIST_PTR],
      ]) {
        expect(bytes.subarray(start, end).every((byte) => byte === 0xaa)).toBe(true);
      }
      const untouched = bytes.subarray(INPUT_PTR, INPUT_PTR + INPUT_BYTES);
      expect(Buffer.compare(untouched, pages), "the pages themselves").toBe(0);
      expect(hex(bytes.slice(KEY_PTR, KEY_PTR + 32)), "the key").toBe(hex(KEY));
    }
  });
});
