// Streams with flaws: every one is refused with DAMAGED or FORMAT, or comes out as it went in.
import { expect, it } from "vitest";
import { foldAll, unfoldAll } from "../support/qemufold.ts";
import { makeStream } from "../support/qemustream.ts";
import { randomSeed, seededRandom } from "../support/random.ts";
import { expectTotal } from "../support/totality.ts";

it.each([false, true])("folder: is total (post-copy: %s)", (isPostcopy) => {
  const random = seededRandom(randomSeed("qemu/folder.fuzz"));
  // Few pages: most flaws should hit something else.
  const { bytes } = makeStream(random, {
    isPostcopy,
    rounds: 1,
    recordsPerRound: 3,
    capabilities: ["x-ignore-shared"],
    hasAddresses: true,
  });
  expectTotal(bytes, (flawed) => {
    const { batches } = foldAll(flawed, 4, () => 1 + random.int(9000));
    const unfolded = unfoldAll(batches);
    const { length } = unfolded;
    expect(Buffer.compare(unfolded, flawed.subarray(0, length))).toBe(0);
    // What is held back is the beginning of a page at most.
    expect(flawed.length - length).toBeLessThan(4096 + 300);
  });
});
