// Clusters are sealed in place and opened in place; each opens under its own number alone.
import { createSecretKey, randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import { CODEC_RAW, KIND_PAGES } from "../../src/core/cluster.ts";
import { ClusterKeys, sessionKey, TAG_BYTES } from "../../src/core/seal.ts";
import { decodeCluster } from "../../src/pool/decodecluster.ts";
import { createContext } from "../../src/pool/run.ts";
import { scratchBytes } from "../../src/pool/scratch.ts";
import { openCluster, runSeal } from "../../src/pool/sealedcluster.ts";
import { encodeCluster } from "../support/clusters.ts";
import { FIRST_FREE_BYTE, openKernels } from "../support/kernels.ts";
import { seededRandom } from "../support/random.ts";
import { expectTotal } from "../support/totality.ts";

const BODY = FIRST_FREE_BYTE;
const OUT = BODY + (4 << 20);
const SCRATCH = OUT + (2 << 20);
const FIRST = 5000;

const random = seededRandom(12);
const seals = {
  key: createSecretKey(randomBytes(32)),
  salt: randomBytes(32),
  firstClusters: [0],
  nonces: [randomBytes(24)],
};
const key = sessionKey(seals.key, seals.salt, seals.nonces[0]);

/** Raw clusters of so many pages, sealed where they lie. */
function withSealed(pageCounts: readonly number[]) {
  const extent = SCRATCH + scratchBytes(1) - FIRST_FREE_BYTE;
  const { kernels, memory, bytes, view } = openKernels("debug", extent);
  const context = createContext(kernels, memory, SCRATCH, 1);
  const clusters = pageCounts.map((itemCount) => {
    const content = random.bytes(itemCount * 4096);
    const kinds = { codec: CODEC_RAW, kind: KIND_PAGES };
    return encodeCluster({ contentBytes: content.length, itemCount, ...kinds }, content);
  });
  bytes.set(Buffer.concat(clusters), BODY);
  const byteLengths = clusters.map(({ length }) => length);
  const task = { kind: "seal", key, ptr: BODY, firstCluster: FIRST, byteLengths } as const;
  expect(runSeal(context, task)).toEqual({});
  return { memory: { kernels, bytes, view }, clusters, scratch: context.scratch.results };
}

it("sealedcluster: gives every cluster back under its number", () => {
  const { memory, clusters, scratch } = withSealed([1, 3, 256, 1, 17, 256, 2]);
  const keys = new ClusterKeys(seals);
  let at = BODY;
  for (const [i, cluster] of clusters.entries()) {
    const byteLength = cluster.length + TAG_BYTES;
    const sealed = memory.bytes.slice(at, at + byteLength);
    expect(Buffer.from(sealed).includes(Buffer.from(cluster.slice(24, 40)))).toBe(false);
    memory.bytes.set(sealed, OUT);
    const wrong = () => openCluster(memory, keys, FIRST + i + 1, OUT, byteLength, scratch, true);
    expect(wrong).toThrow(`cluster ${FIRST + i + 1}: is not the one that belongs there`);
    expect(openCluster(memory, keys, FIRST + i, OUT, byteLength, scratch, true)).toBe(
      cluster.length,
    );
    const opened = memory.bytes.slice(OUT + 8, OUT + cluster.length);
    expect(Buffer.compare(opened, cluster.subarray(8))).toBe(0);
    at += byteLength;
  }
});

it("sealedcluster: tells damage from a swap, and its checksum's own damage where asked", () => {
  const { memory, clusters, scratch } = withSealed([2]);
  const sealed = memory.bytes.slice(BODY, BODY + clusters[0].length + TAG_BYTES);
  const open = (at: number, isTested: boolean) => {
    memory.bytes.set(sealed, OUT);
    memory.bytes[OUT + at] ^= 1;
    const { length } = sealed;
    const keys = new ClusterKeys(seals);
    return openCluster(memory, keys, FIRST, OUT, length, scratch, isTested);
  };
  for (const at of [8, 24, 5000]) {
    for (const isTested of [false, true]) {
      expect(() => open(at, isTested)).toThrow(`cluster ${FIRST}: wrong checksum`);
    }
  }
  expect(open(0, false)).toBe(clusters[0].length);
  expect(() => open(0, true)).toThrow(`cluster ${FIRST}: wrong checksum`);
});

it("sealedcluster: is total, whatever its checksum says", () => {
  const { memory, clusters, scratch } = withSealed([1]);
  const sealed = memory.bytes.slice(BODY, BODY + clusters[0].length + TAG_BYTES);
  const keys = new ClusterKeys(seals);
  const open = (changed: Uint8Array, isSummed: boolean): void => {
    memory.bytes.set(changed, OUT);
    const { length } = changed;
    if (isSummed && length > 8) memory.kernels.checksum(OUT + 8, length - 8, OUT);
    const opened = openCluster(memory, keys, FIRST, OUT, length, scratch, isSummed);
    decodeCluster(memory, FIRST, OUT, opened, () => BODY, scratch, true);
  };
  expectTotal(sealed, (changed) => open(changed, false));
  expectTotal(sealed, (changed) => open(changed, true));
});
