// A digest over frames, against the obvious one: a map of what each frame holds in the end.
import { describe, expect, it } from "vitest";
import { FrameHashes } from "../../src/qemu/framehashes.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const random = seededRandom(randomSeed("qemu/framehashes"));
const word = () => random.int(2 ** 32);

describe("frame hashes", () => {
  it("depend on the last content of each frame alone", () => {
    const hashes = new FrameHashes("web");
    const last = new Map<string, [number, number, number, number]>();
    for (let i = 0; i < 5000; i++) {
      const block = random.int(3) * 2000;
      const page = random.int(4) === 0 ? random.int(2 ** 40) : random.int(300);
      const value = random.int(5) === 0 ? [0, 0] : [word(), word()];
      hashes.set(block, page, value[0], value[1]);
      last.set(`${block}/${page}`, [block, page, value[0], value[1]]);
    }
    const again = new FrameHashes("web");
    for (const frame of [...last.values()].reverse()) again.set(...frame);
    expect(again.frameCount).toBe(last.size);
    expect(hashes.frameCount).toBe(last.size);
    expect(hashes.digest()).toBe(again.digest());
    const [block, page, low, high] = [...last.values()][random.int(last.size)];
    again.set(block, page, low ^ 1, high);
    expect(hashes.digest()).not.toBe(again.digest());
    again.set(block, page, low, high);
    expect(hashes.digest()).toBe(again.digest());
  });

  it("tell frames of far places apart", () => {
    const digests = new Set<bigint>();
    const places = [0, 1, 63, 64, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 40 - 1];
    for (const block of [0, 1, 4095]) {
      for (const page of places) {
        const hashes = new FrameHashes("web");
        hashes.set(block, page, 1, 2);
        digests.add(hashes.digest());
      }
    }
    expect(digests.size).toBe(3 * places.length);
  });

  it("take no memory without end for frames that lie apart", () => {
    const hashes = new FrameHashes("web");
    const scatter = () => {
      for (let i = 0; i < 200_000; i++) hashes.set(0, i * 64, 1, 1);
    };
    expect(scatter).toThrow(expect.objectContaining({ code: "LIMIT" }));
    expect(hashes.frameCount).toBeLessThan(100_000);
  });

  it("take memory of any size whose frames lie together", () => {
    const hashes = new FrameHashes("web");
    for (let page = 0; page < 4_500_000; page += 4) hashes.set(0, page, 1, 1);
    expect(hashes.frameCount).toBe(1_125_000);
  });
});
