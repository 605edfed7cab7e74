// The delta kernels: both builds against the oracle, edges, properties, golden vectors, and broken
// deltas between guards.
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PAGE_BYTES } from "../../src/core/page.ts";
import * as oracle from "../oracle/delta.ts";
import { encodeOps, varintBytes } from "../oracle/delta.ts";
import { type EncodeOptions, GUARD, openDelta } from "../support/delta.ts";
import { deltaVectorInputs, patchwork } from "../support/delta-inputs.ts";
import { builds } from "../support/kernels.ts";
import { edgePages, painted } from "../support/pages.ts";
import { randomSeed, type SeededRandom, seededRandom } from "../support/random.ts";

const vectors: { name: string; delta: string }[] = JSON.parse(
  readFileSync(new URL("../vectors/delta.json", import.meta.url), "utf8"),
);

/** An INSERT of everything: the most that a page may cost. */
const WORST_BYTES = PAGE_BYTES + 3;

describe.each(builds)("delta, $name build", ({ name }) => {
  const kernels = openDelta(name);
  const { decode } = kernels;

  function encode(page: Uint8Array, references: Uint8Array[], options?: EncodeOptions): Uint8Array {
    const delta = kernels.encode(page, references, options);
    if (delta === undefined) throw new Error("the delta did not fit");
    expect(delta.length).toBeLessThanOrEqual(WORST_BYTES);
    expectSame(decode(delta, references), page);
    expectSame(oracle.decode(delta, references), page);
    return delta;
  }

  test("keeps its golden bytes", () => {
    const deltas = deltaVectorInputs().map(({ name: title, references, page }) => ({
      name: title,
      delta: Buffer.from(encode(page, references)).toString("hex"),
    }));
    expect(deltas).toEqual(vectors);
  });

  test("says an unchanged page with one COPY", () => {
    const page = painted(PAGE_BYTES);
    expect(encode(page, [page])).toEqual(
      encodeOps([{ op: "copy", reference: 1, source: 0, length: PAGE_BYTES }]),
    );
    const other = seededRandom(1).bytes(PAGE_BYTES);
    expect(encode(page, [other, other, page])).toHaveLength(4);
  });

  test("encodes every pair of edge pages", () => {
    const pages = edgePages(seededRandom(2));
    for (const { page } of pages) {
      for (const { page: reference } of pages) {
        encode(page, [reference]);
        encode(page, [painted(PAGE_BYTES, 7), reference, reference]);
      }
    }
  });

  test.each([0, 1, 7, 8, 63, 64, 4032, 4087, 4088, 4094, 4095])("says one new byte: %i", (at) => {
    const reference = seededRandom(3).bytes(PAGE_BYTES);
    const page = reference.slice();
    page[at] = (page[at] ?? 0) ^ 0x55;
    expect(encode(page, [reference]).length).toBeLessThanOrEqual(12);
  });

  test.each([-4080, -1001, -64, -8, -1, 1, 3, 8, 64, 1001, 4080])("follows a shift of %i", (by) => {
    const random = seededRandom(4);
    const long = random.bytes(2 * PAGE_BYTES + PAGE_BYTES);
    const reference = long.subarray(PAGE_BYTES, 2 * PAGE_BYTES);
    const delta = encode(long.subarray(PAGE_BYTES + by, 2 * PAGE_BYTES + by), [reference]);
    expect(delta.length).toBeLessThanOrEqual(Math.abs(by) + 12);
  });

  test("takes pieces from three references", () => {
    const random = seededRandom(5);
    const references = [1, 2, 3].map(() => random.bytes(PAGE_BYTES));
    const pieces = references.map((r, i) => [...r.subarray(100 + i, 100 + i + 1365)]);
    const page = Uint8Array.from([...pieces.flat(), 9]);
    expect(encode(page, references).length).toBeLessThanOrEqual(3 * 5 + 2);
  });

  test("does not depend on the scratch, nor on what was encoded before", () => {
    const random = seededRandom(6);
    const references = [random.bytes(PAGE_BYTES), random.bytes(PAGE_BYTES)];
    const page = patchwork(random, references, 200);
    const delta = encode(page, references, { scratch: random.bytes(65536) });
    expect(encode(page, references, { scratch: new Uint8Array(65536) })).toEqual(delta);
    expect(encode(page, references)).toEqual(delta);
  });

  test("fits into exactly its length, and into no byte less", () => {
    const random = seededRandom(randomSeed(`delta capacity, ${name}`));
    for (let round = 0; round < 100; round++) {
      const references = [random.bytes(PAGE_BYTES), painted(PAGE_BYTES, round)];
      const page = patchwork(random, references, 1 + random.int(600));
      const { length } = encode(page, references);
      expect(encode(page, references, { capacity: length })).toHaveLength(length);
      for (const capacity of [0, 1, random.int(length), length - 1]) {
        expect(kernels.encode(page, references, { capacity })).toBeUndefined();
      }
    }
  });

  test("applies what it encodes, whatever the pages", () => {
    const pieces = fc.record({
      seed: fc.integer(),
      maxPiece: fc.integer({ min: 1, max: PAGE_BYTES }),
      count: fc.integer({ min: 1, max: 3 }),
      kinds: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 3, maxLength: 3 }),
    });
    fc.assert(
      fc.property(pieces, ({ seed, maxPiece, count, kinds }) => {
        const random = seededRandom(seed);
        const references = kinds.slice(0, count).map((kind) => {
          if (kind === 0) return random.bytes(PAGE_BYTES);
          return kind === 1 ? painted(PAGE_BYTES, random.int(251)) : new Uint8Array(PAGE_BYTES);
        });
        encode(patchwork(random, references, maxPiece), references);
      }),
      { numRuns: 200, seed: randomSeed(`delta property, ${name}`) },
    );
  });

  test("comes near to the slow encoder on shifted pieces", () => {
    const random = seededRandom(7);
    for (let round = 0; round < 3; round++) {
      const references = [random.bytes(PAGE_BYTES), random.bytes(PAGE_BYTES)];
      const page = patchwork(random, references, 400);
      const best = oracle.encode(page, references, 12).length;
      expect(encode(page, references).length).toBeLessThanOrEqual(best * 1.25 + 16);
    }
  });

  const copyAll = [...varintBytes(PAGE_BYTES * 4 + 1), 0];
  const copyHalf = varintBytes(2048 * 4 + 1);
  test.each<[string, number, number[]]>([
    ["nothing", oracle.TRUNCATED, []],
    ["half a varint", oracle.TRUNCATED, [0x80]],
    ["a COPY without its source", oracle.TRUNCATED, copyAll.slice(0, -1)],
    ["half a source", oracle.TRUNCATED, [...copyHalf, 0x80]],
    ["an INSERT without all bytes", oracle.TRUNCATED, [4 * 4, 1, 2, 3]],
    ["too few ops", oracle.TRUNCATED, [...copyHalf, 0]],
    ["an op of four bytes", oracle.BAD_VARINT, [0x81, 0x80, 0x80, 0x01]],
    ["an op longer than need be", oracle.BAD_VARINT, [0x85, 0x00, 1]],
    ["a source longer than need be", oracle.BAD_VARINT, [5, 0x80, 0x00]],
    ["a source of four bytes", oracle.BAD_VARINT, [5, 0x80, 0x80, 0x80, 0x01]],
    ["an empty INSERT", oracle.ZERO_LENGTH, [0, ...copyAll]],
    ["an empty COPY", oracle.ZERO_LENGTH, [1, 0, ...copyAll]],
    ["a COPY past the page", oracle.PAST_PAGE, [...varintBytes(4097 * 4 + 1), 0]],
    ["an INSERT past the page", oracle.PAST_PAGE, [4, 9, ...varintBytes(4096 * 4), 1, 2]],
    ["a third reference of two", oracle.UNKNOWN_REFERENCE, [...varintBytes(PAGE_BYTES * 4 + 3), 0]],
    ["a source before the page", oracle.OUTSIDE_REFERENCE, [5, 1]],
    ["a source behind the page", oracle.OUTSIDE_REFERENCE, [...copyHalf, ...varintBytes(2049 * 2)]],
    ["a far source", oracle.OUTSIDE_REFERENCE, [5, 0xfe, 0xff, 0x7f]],
    ["a byte too many", oracle.TRAILING_BYTES, [...copyAll, 0]],
  ])("refuses %s", (_, code, delta) => {
    const references = [painted(PAGE_BYTES), painted(PAGE_BYTES, 1)];
    expect(decode(Uint8Array.from(delta), references)).toBe(code);
    expect(oracle.decode(Uint8Array.from(delta), references)).toBe(code);
  });

  test("agrees with the oracle on mutated and random bytes", () => {
    const random = seededRandom(randomSeed(`delta fuzz, ${name}`));
    const both = [random.bytes(PAGE_BYTES), painted(PAGE_BYTES)];
    for (let round = 0; round < 2000; round++) {
      const references = both.slice(random.int(2));
      const page = patchwork(random, references, 800);
      const delta =
        random.int(4) === 0
          ? random.bytes(random.int(40)).map((byte) => (random.int(2) === 0 ? byte & 31 : byte))
          : mutate(random, encode(page, references));
      expectSame(decode(delta, references), oracle.decode(delta, references));
    }
  });
});

test("delta: the guards catch a decoder that writes one byte too many", () => {
  const kernels = openDelta("release", (kernels, memory) => ({
    ...kernels,
    deltaDecode(srcPtr, srcLength, refsPtr, refCount, pagePtr) {
      new Uint8Array(memory.buffer)[pagePtr + PAGE_BYTES] = ~GUARD;
      return kernels.deltaDecode(srcPtr, srcLength, refsPtr, refCount, pagePtr);
    },
  }));
  const page = painted(PAGE_BYTES);
  expect(() => kernels.decode(Uint8Array.from([0x81, 0x80, 0x01, 0]), [page])).toThrow(/outside/);
});

test("delta: the oracle catches a decoder that forgets the trailing bytes", () => {
  const kernels = openDelta("release", (kernels) => ({
    ...kernels,
    deltaDecode(...args) {
      const code = kernels.deltaDecode(...args);
      return code === oracle.TRAILING_BYTES ? PAGE_BYTES : code;
    },
  }));
  const random = seededRandom(8);
  const references = [random.bytes(PAGE_BYTES)];
  const disagreements = Array.from({ length: 300 }, () => {
    const delta = mutate(random, kernels.encode(patchwork(random, references, 800), references));
    const wanted = oracle.decode(delta, references);
    const got = kernels.decode(delta, references);
    return typeof wanted === "number" && wanted !== got;
  });
  expect(disagreements).toContain(true);
});

/** As `toEqual`, which takes a millisecond for the bytes of a page. */
function expectSame(got: Uint8Array | number, wanted: Uint8Array | number): void {
  const equal = got instanceof Uint8Array && wanted instanceof Uint8Array;
  if (!equal || !Buffer.from(got.buffer, got.byteOffset, got.length).equals(wanted)) {
    expect(got).toEqual(wanted);
  }
}

/** Flips, cuts, adds or doubles some bytes. */
function mutate(random: SeededRandom, whole: Uint8Array | undefined): Uint8Array {
  const bytes = [...(whole ?? [])];
  for (let times = random.int(4); times >= 0; times--) {
    const at = random.int(random.int(2) === 0 ? bytes.length : Math.min(8, bytes.length));
    const choice = random.int(5);
    if (choice === 0) bytes[at] = random.int(256);
    else if (choice === 1) bytes[at] = (bytes[at] ?? 0) ^ (1 << random.int(8));
    else if (choice === 2) bytes.splice(at, 1 + random.int(4));
    else if (choice === 3) bytes.splice(at, 0, ...random.bytes(1 + random.int(3)));
    else bytes.push(...random.bytes(random.int(3)));
  }
  return Uint8Array.from(bytes);
}
