// Clusters that are read back: of any size up to 1 MiB, from one region of memory.
import { expect, it } from "vitest";
import {
  CLUSTER_COVERED_OFFSET,
  CLUSTER_HEADER_BYTES,
  CODEC_RAW,
  KIND_PAGES,
} from "../../src/core/cluster.ts";
import { IN_MEMORY, PLACE_BYTES } from "../../src/core/slab.ts";
import { createContext } from "../../src/pool/run.ts";
import { scratchBytes } from "../../src/pool/scratch.ts";
import { encodeClusterHeader } from "../support/clusters.ts";
import { FIRST_FREE_BYTE, openKernels } from "../support/kernels.ts";

const CACHED = 2;
const PLACES = FIRST_FREE_BYTE;
const STORE = PLACES + 4096;
const STORE_BYTES = 8 << 20;
const SCRATCH = STORE + STORE_BYTES;

/** Raw clusters of so many pages; each page is full of its cluster's number. */
function withClusters(pageCounts: readonly number[]) {
  const { kernels, memory, bytes, view } = openKernels(
    "debug",
    SCRATCH + scratchBytes(CACHED) - FIRST_FREE_BYTE,
  );
  let at = STORE;
  for (const [cluster, itemCount] of pageCounts.entries()) {
    const payloadBytes = itemCount * 4096;
    const contentBytes = payloadBytes;
    encodeClusterHeader(view, at, {
      payloadBytes,
      contentBytes,
      codec: CODEC_RAW,
      kind: KIND_PAGES,
      itemCount,
    });
    const byteLength = CLUSTER_HEADER_BYTES + payloadBytes;
    bytes.fill(cluster + 1, at + CLUSTER_HEADER_BYTES, at + byteLength);
    kernels.checksum(at + CLUSTER_COVERED_OFFSET, byteLength - CLUSTER_COVERED_OFFSET, at);
    view.setFloat64(PLACES + cluster * PLACE_BYTES, at, true);
    view.setUint32(PLACES + cluster * PLACE_BYTES + 8, byteLength, true);
    view.setUint32(PLACES + cluster * PLACE_BYTES + 12, IN_MEMORY, true);
    at += byteLength + 64;
  }
  const { clusters } = createContext(kernels, memory, SCRATCH, CACHED);
  const places = { session: 1, ptr: PLACES, count: pageCounts.length };
  return { clusters, bytes, places };
}

it("clustercache: keeps small clusters and takes large ones, in any order", () => {
  const pageCounts = [1, 16, 64, 256, 16, 17, 256, 255, 1];
  const { clusters, bytes, places } = withClusters(pageCounts);
  for (const cluster of [0, 1, 2, 1, 0, 3, 6, 7, 3, 0, 8, 5, 4, 3, 2, 1]) {
    const decoded = clusters.get(cluster, places);
    expect(decoded).toMatchObject({ itemCount: pageCounts[cluster], isDeltas: false });
    const { ptr, contentBytes } = decoded as { ptr: number; contentBytes: number };
    expect(ptr + contentBytes).toBeLessThanOrEqual(SCRATCH + scratchBytes(CACHED));
    const content = bytes.subarray(ptr, ptr + contentBytes);
    expect(content.every((byte) => byte === cluster + 1)).toBe(true);
  }
  expect(clusters.get(pageCounts.length, places)).toBeUndefined();
});
