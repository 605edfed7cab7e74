// CRC-32C: values that RFC 3720 (B.4) gives, and any lengths against the bit-by-bit oracle.
import { describe, expect, test } from "vitest";
import { CRC32C_TABLE_BYTES } from "../../src/kernels/abi.ts";
import { crc32cOracle } from "../oracle/snappy.ts";
import { builds, FIRST_FREE_BYTE, openKernels } from "../support/kernels.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const TABLES = FIRST_FREE_BYTE;
const SRC = TABLES + CRC32C_TABLE_BYTES;

describe.each(builds)("crc32c, $name build", ({ name }) => {
  const { kernels, bytes } = openKernels(name, SRC + 4096);
  kernels.crc32cInit(TABLES);

  function crc32c(input: Uint8Array, at = SRC): number {
    bytes.set(input, at);
    return kernels.crc32c(at, input.length, TABLES) >>> 0;
  }

  test.each([
    { what: "32 zeros", input: new Uint8Array(32), crc: 0x8a91_36aa },
    { what: "32 ones", input: new Uint8Array(32).fill(0xff), crc: 0x62a8_ab43 },
    { what: "counting up", input: Uint8Array.from({ length: 32 }, (_, i) => i), crc: 0x46dd_794e },
    { what: "digits", input: new TextEncoder().encode("123456789"), crc: 0xe306_9283 },
    { what: "nothing", input: new Uint8Array(0), crc: 0 },
  ])("of $what", ({ input, crc }) => {
    expect(crc32c(input)).toBe(crc);
  });

  test("of any length, wherever it lies", () => {
    const random = seededRandom(randomSeed("crc32c"));
    for (let length = 0; length < 80; length++) {
      const input = random.bytes(length);
      expect(crc32c(input, SRC + random.int(9))).toBe(crc32cOracle(input));
    }
  });
});
