// XXH64 of the kernels against the slow one and against two libraries.
import { xxhash64 } from "hash-wasm";
import { describe, expect, it } from "vitest";
import xxhash from "xxhash-wasm";
import { xxh64 } from "../oracle/xxh64.ts";
import { builds, FIRST_FREE_BYTE, openKernels } from "../support/kernels.ts";
import { painted } from "../support/pages.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const random = seededRandom(randomSeed("checksum"));
const INPUT_PTR = FIRST_FREE_BYTE;
const OUT_PTR = FIRST_FREE_BYTE + (1 << 20);
const { h64Raw } = await xxhash();

describe.each(builds)("checksum ($name)", ({ name }) => {
  const { kernels, bytes, view } = openKernels(name, (1 << 20) + 16);
  function checksum(input: Uint8Array, ptr = INPUT_PTR): bigint {
    bytes.set(input, ptr);
    kernels.checksum(ptr, input.length, OUT_PTR);
    return view.getBigUint64(OUT_PTR, true);
  }

  it("has the published values", () => {
    expect(checksum(new Uint8Array(0))).toBe(0xef46db3751d8e999n);
    expect(checksum(Buffer.from("a"))).toBe(0xd24ec4f1a98c6e5bn);
    expect(checksum(Buffer.from("abc"))).toBe(0x44bc2cf5ad770999n);
  });

  it("says what the oracle and two libraries say, for every length to 200", async () => {
    for (let length = 0; length <= 200; length++) {
      for (const input of [painted(length), random.bytes(length)]) {
        const got = checksum(input);
        expect(got, `${length} bytes`).toBe(xxh64(input));
        expect(got, `${length} bytes`).toBe(h64Raw(input));
        expect(got, `${length} bytes`).toBe(BigInt(`0x${await xxhash64(input)}`));
      }
    }
  });

  it("says what xxhash-wasm says for long inputs, all zero, all 0xFF and random", () => {
    for (const length of [4095, 4096, 4097, 65535, 65536, 1 << 20]) {
      for (const input of [
        new Uint8Array(length),
        new Uint8Array(length).fill(0xff),
        random.bytes(length),
      ]) {
        expect(checksum(input), `${length} bytes`).toBe(h64Raw(input));
      }
    }
  });

  it("does not care where the input lies", () => {
    const input = random.bytes(1000);
    for (let shift = 0; shift < 33; shift++) {
      expect(checksum(input, INPUT_PTR + shift)).toBe(xxh64(input));
    }
  });
});
