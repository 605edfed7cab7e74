// Masks of changed blocks, gathering and scattering, on both builds.
import { describe, expect, it } from "vitest";
import { PAGE_BYTES } from "../../src/core/page.ts";
import { BLOCK_BYTES } from "../../src/kernels/abi.ts";
import { diffMask, gathered } from "../oracle/diff.ts";
import { builds, FIRST_FREE_BYTE, openKernels } from "../support/kernels.ts";
import { edgePages, painted } from "../support/pages.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const random = seededRandom(randomSeed("diff"));
const OLD_PTR = FIRST_FREE_BYTE;
const NEW_PTR = OLD_PTR + 64 * PAGE_BYTES;
const MASKS_PTR = NEW_PTR + 64 * PAGE_BYTES;
const GATHERED_PTR = MASKS_PTR + PAGE_BYTES;

describe.each(builds)("diff ($name)", ({ name }) => {
  const { kernels, bytes, view } = openKernels(name, 160 * PAGE_BYTES);
  const mask = (index: number) => view.getBigUint64(MASKS_PTR + index * 8, true);

  it("takes no pages", () => {
    expect(kernels.diff(OLD_PTR, NEW_PTR, 0, MASKS_PTR)).toBe(0);
  });

  it("says what the oracle says of edges, for blocks of each size", () => {
    const edges = edgePages(random);
    for (const before of edges) {
      for (const after of edges) {
        bytes.set(before.page, OLD_PTR);
        bytes.set(after.page, NEW_PTR);
        for (const blockBytes of [64, 128, 256]) {
          const changed = kernels.diffBlocks(OLD_PTR, NEW_PTR, 1, blockBytes, MASKS_PTR);
          const wanted = diffMask(before.page, after.page, blockBytes);
          expect(mask(0), `${before.name} to ${after.name}, ${blockBytes}`).toBe(wanted);
          expect(changed).toBe(wanted === 0n ? 0 : 1);
        }
      }
    }
  });

  it("names the block of any single changed byte", () => {
    const page = painted(PAGE_BYTES);
    bytes.set(page, OLD_PTR);
    bytes.set(page, NEW_PTR);
    for (let at = 0; at < PAGE_BYTES; at++) {
      bytes[NEW_PTR + at] ^= 1 << random.int(8);
      kernels.diff(OLD_PTR, NEW_PTR, 1, MASKS_PTR);
      if (mask(0) !== 1n << BigInt(at >> 6)) expect.fail(`byte ${at}: mask ${mask(0)}`);
      bytes[NEW_PTR + at] = page[at];
    }
  });

  it("masks many pages in one call and counts the changed ones", () => {
    const before = random.bytes(60 * PAGE_BYTES);
    const after = Uint8Array.from(before);
    for (let n = 0; n < 100; n++) after[random.int(after.length)] ^= 0x10;
    bytes.set(before, OLD_PTR);
    bytes.set(after, NEW_PTR);
    for (const blockBytes of [64, 128, 256]) {
      let wantedChanged = 0;
      const changed = kernels.diffBlocks(OLD_PTR, NEW_PTR, 60, blockBytes, MASKS_PTR);
      for (let i = 0; i < 60; i++) {
        const [from, to] = [i * PAGE_BYTES, (i + 1) * PAGE_BYTES];
        const wanted = diffMask(before.subarray(from, to), after.subarray(from, to), blockBytes);
        expect(mask(i), `page ${i}, blocks of ${blockBytes}`).toBe(wanted);
        if (wanted !== 0n) wantedChanged++;
      }
      expect(changed).toBe(wantedChanged);
    }
  });

  const masks = [0n, 1n, 1n << 63n, (1n << 64n) - 1n, 0x5555555555555555n, 0x8000000180000001n];

  it("gathers what the oracle gathers, and nothing behind it", () => {
    const page = random.bytes(PAGE_BYTES);
    bytes.set(page, OLD_PTR);
    for (const value of masks) {
      view.setBigUint64(MASKS_PTR, value, true);
      bytes.fill(0xaa, GATHERED_PTR, GATHERED_PTR + PAGE_BYTES + 1);
      const length = kernels.gatherBlocks(OLD_PTR, MASKS_PTR, GATHERED_PTR);
      const wanted = gathered(page, value, BLOCK_BYTES);
      expect(length).toBe(wanted.length);
      const got = bytes.subarray(GATHERED_PTR, GATHERED_PTR + length);
      expect(Buffer.compare(got, wanted)).toBe(0);
      expect(bytes[GATHERED_PTR + length]).toBe(0xaa);
    }
  });

  it("turns the old page into the new one: scatter undoes gather", () => {
    for (let n = 0; n < 50; n++) {
      const before = random.bytes(PAGE_BYTES);
      const after = Uint8Array.from(before);
      for (let i = random.int(40); i > 0; i--) after[random.int(PAGE_BYTES)] = random.int(256);
      bytes.set(before, OLD_PTR);
      bytes.set(after, NEW_PTR);
      kernels.diff(OLD_PTR, NEW_PTR, 1, MASKS_PTR);
      const length = kernels.gatherBlocks(NEW_PTR, MASKS_PTR, GATHERED_PTR);
      expect(kernels.scatterBlocks(GATHERED_PTR, length, MASKS_PTR, OLD_PTR)).toBe(length);
      expect(Buffer.compare(bytes.subarray(OLD_PTR, OLD_PTR + PAGE_BYTES), after)).toBe(0);
    }
  });

  it("refuses to scatter a wrong length, and writes nothing", () => {
    for (const value of masks) {
      view.setBigUint64(MASKS_PTR, value, true);
      bytes.fill(0x11, GATHERED_PTR, GATHERED_PTR + 2 * PAGE_BYTES);
      bytes.fill(0x22, OLD_PTR, OLD_PTR + PAGE_BYTES);
      const right = gathered(bytes.subarray(OLD_PTR, OLD_PTR + PAGE_BYTES), value, 64).length;
      for (const wrong of [right - 64, right - 1, right + 1, right + 64, 0xffffffff]) {
        expect(kernels.scatterBlocks(GATHERED_PTR, wrong, MASKS_PTR, OLD_PTR)).toBeLessThan(0);
      }
      expect(bytes.subarray(OLD_PTR, OLD_PTR + PAGE_BYTES).every((byte) => byte === 0x22)).toBe(
        true,
      );
    }
  });
});
