// The incremental tree against the definition of docs/format.md §3, computed level by level.
import { createXXHash128, type IHasher } from "hash-wasm";
import { beforeAll, describe, expect, it } from "vitest";
import { IMAGE_CHECKSUM_SCRATCH_BYTES, ImageChecksum } from "../../src/pipeline/imagechecksum.ts";
import { imageChecksumOf, storedFingerprint } from "../oracle/imagechecksum.ts";
import { builds, FIRST_FREE_BYTE, openKernels } from "../support/kernels.ts";
import { seededRandom } from "../support/random.ts";

let hasher: IHasher;
beforeAll(async () => {
  hasher = await createXXHash128();
});

describe.each(builds)("image checksum ($name)", ({ name }) => {
  const open = openKernels(name, IMAGE_CHECKSUM_SCRATCH_BYTES);
  const fresh = () => new ImageChecksum(open.kernels, open.memory, FIRST_FREE_BYTE);

  it.each([0, 1, 2, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 65_536 + 256])(
    "agrees with the definition for %i frames",
    (frameCount) => {
      const random = seededRandom(frameCount + 1);
      const fingerprints = random.bytes(frameCount * 16);
      const checksum = fresh();
      for (let at = 0; at < fingerprints.length; ) {
        const count = 1 + random.int(700);
        checksum.add(fingerprints.subarray(at, at + count * 16));
        at += count * 16;
      }
      const expected = imageChecksumOf(hasher, fingerprints, frameCount * 4096);
      expect(checksum.finish(frameCount * 4096, frameCount)).toEqual(expected);
    },
  );

  it("depends on length, order and count", () => {
    const fingerprints = seededRandom(7).bytes(2 * 16);
    const swapped = new Uint8Array([...fingerprints.subarray(16), ...fingerprints.subarray(0, 16)]);
    const sums = [
      [fingerprints, 8192],
      [fingerprints, 8191],
      [swapped, 8192],
    ].map(([bytes, length]) => {
      const checksum = fresh();
      checksum.add(bytes as Uint8Array);
      return checksum.finish(length as number, 2).toString();
    });
    expect(new Set(sums).size).toBe(3);
  });

  it("refuses to finish when frames are missing", () => {
    const checksum = fresh();
    checksum.add(new Uint8Array(16));
    expect(() => checksum.finish(8192, 2)).toThrow("1 of 2 frames");
  });

  it("stores the low half of a fingerprint first, as the kernels do", () => {
    const page = seededRandom(3).bytes(4096);
    open.bytes.set(page, FIRST_FREE_BYTE);
    open.kernels.fingerprintPages(FIRST_FREE_BYTE, 1, FIRST_FREE_BYTE + 4096);
    const ours = new Uint8Array(open.bytes.slice(FIRST_FREE_BYTE + 4096, FIRST_FREE_BYTE + 4112));
    expect(ours).toEqual(storedFingerprint(hasher, page));
  });
});
