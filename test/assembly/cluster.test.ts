// Packing pages and deltas into clusters: what the headers say, what decoders get back, and where
// gaps between the pages make a difference.
import { describe, expect, it } from "vitest";
import { CODEC_LZ4, CODEC_RAW, decodeClusterHeader, KIND_DELTAS } from "../../src/core/cluster.ts";
import {
  ACTION_NONE,
  ACTION_STORE,
  CLUSTER_ENTRY_BYTES,
  COMPRESS_LZ4,
  COMPRESS_NONE,
  COMPRESS_ZSTD,
  COMPRESS_ZSTD_SMALL,
  ZSTD_COMPRESS_SCRATCH_BYTES,
} from "../../src/kernels/abi.ts";
import { clusterContentOracle } from "../oracle/cluster.ts";
import { xxh64 } from "../oracle/xxh64.ts";
import { builds, FIRST_FREE_BYTE, type OpenKernels, openKernels } from "../support/kernels.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const PAGE = 4096;
const MAX_PAGES = 64;
const STRIDE = 16;
const PLAN = FIRST_FREE_BYTE;
const PAGES = PLAN + 4096;
const OUT = PAGES + MAX_PAGES * PAGE;
const STAGING = OUT + 2 * MAX_PAGES * PAGE;
const CODEC = STAGING + (1 << 20);
const ENTRIES = CODEC + ZSTD_COMPRESS_SCRATCH_BYTES;
const LENGTHS = ENTRIES + 65536;
const DELTAS = LENGTHS + 65536;
const END = DELTAS + (1 << 20);

const random = seededRandom(randomSeed("cluster"));

/** Half of the pages can be compressed, the others cannot. */
function fillPages({ bytes }: OpenKernels): void {
  for (let page = 0; page < MAX_PAGES; page++) {
    const content = page % 2 ? random.bytes(PAGE) : new Uint8Array(PAGE).fill(page, 100, 3000);
    bytes.set(content, PAGES + page * PAGE);
  }
}

/** Content of cluster `index`, after its header and checksum were tested. */
function readCluster({ bytes, view }: OpenKernels, index: number) {
  const entry = ENTRIES + index * CLUSTER_ENTRY_BYTES;
  const start = OUT + view.getUint32(entry, true);
  const byteLength = view.getUint32(entry + 4, true);
  const header = decodeClusterHeader(view, start, index, byteLength);
  expect(header.itemCount).toBe(view.getUint32(entry + 8, true));
  const cluster = bytes.slice(start, start + byteLength);
  expect(view.getBigUint64(start, true)).toBe(xxh64(cluster.subarray(8)));
  const flags = view.getUint32(entry + 12, true);
  expect(flags).toBe((header.kind === KIND_DELTAS ? 1 : 0) | (header.codec === CODEC_RAW ? 2 : 0));
  const payload = cluster.subarray(24);
  const content = clusterContentOracle(header.codec, payload, header.contentBytes);
  return { header, content: Buffer.from(content), end: start + byteLength };
}

function pack(
  open: OpenKernels,
  stored: readonly number[],
  pageCount: number,
  compress = COMPRESS_LZ4,
) {
  const { kernels, view } = open;
  for (let page = 0; page < pageCount; page++) {
    view.setUint32(PLAN + page * STRIDE, stored.includes(page) ? ACTION_STORE : ACTION_NONE, true);
    view.setUint32(PLAN + page * STRIDE + 8, 1, true);
  }
  return kernels.packPages(
    PLAN,
    STRIDE,
    PAGES,
    pageCount,
    16,
    compress,
    OUT,
    STAGING,
    CODEC,
    ENTRIES,
  );
}

describe.each(builds)("cluster, $name", ({ name }) => {
  const open = openKernels(name, END);
  fillPages(open);

  it.each([COMPRESS_NONE, COMPRESS_LZ4, COMPRESS_ZSTD, COMPRESS_ZSTD_SMALL])(
    "keeps stored pages in order, whatever lies between (compress %i)",
    (compress) => {
      const all = [...Array(MAX_PAGES).keys()];
      const sets = [[], [0], [63], all, all.slice(3, 18), all.slice(3, 19), all.slice(3, 20)];
      for (let gap = 0; gap < 20; gap++) sets.push(all.slice(0, 21).filter((page) => page !== gap));
      for (let i = 0; i < 20; i++) sets.push(all.filter(() => random.int(3) > 0));
      for (const stored of sets) {
        const clusters = pack(open, stored, MAX_PAGES, compress);
        expect(clusters).toBe(Math.ceil(stored.length / 16));
        for (let i = 0; i < clusters; i++) {
          const { header, content } = readCluster(open, i);
          const share = Math.ceil(stored.length / clusters);
          const own = stored.slice(i * share, (i + 1) * share);
          expect(header.itemCount).toBe(own.length);
          if (compress === COMPRESS_NONE) expect(header.codec).toBe(CODEC_RAW);
          const pages = own.map((page) =>
            open.bytes.slice(PAGES + page * PAGE, PAGES + (page + 1) * PAGE),
          );
          expect(content.equals(Buffer.concat(pages))).toBe(true);
        }
        for (let page = 0; page < MAX_PAGES; page++) {
          const outcome = open.view.getUint32(PLAN + page * STRIDE + 8, true);
          expect(outcome).toBe(stored.includes(page) ? 3 : 1);
        }
      }
    },
  );

  it("stores what cannot be compressed as it is, and no larger", () => {
    expect(pack(open, [1], MAX_PAGES)).toBe(1);
    const { header } = readCluster(open, 0);
    expect(header).toMatchObject({ codec: CODEC_RAW, payloadBytes: PAGE });
    pack(open, [2], MAX_PAGES);
    expect(readCluster(open, 0).header.codec).toBe(CODEC_LZ4);
  });

  it.each([0, 1, 2, 255, 256, 257, 600])("packs %i deltas", (count) => {
    const deltas = Array.from({ length: count }, () => random.bytes(1 + random.int(700)));
    for (const [i, { length }] of deltas.entries()) {
      open.view.setUint32(LENGTHS + i * 4, length, true);
    }
    open.bytes.set(Buffer.concat(deltas), DELTAS);
    const clusters = open.kernels.packDeltas(
      LENGTHS,
      count,
      DELTAS,
      65536,
      1,
      OUT,
      40,
      STAGING,
      CODEC,
      ENTRIES,
    );
    const found: Buffer[] = [];
    for (let i = 0; i < clusters; i++) {
      const { header, content } = readCluster(open, i);
      expect(header.kind).toBe(KIND_DELTAS);
      expect(header.contentBytes).toBeLessThanOrEqual(65536);
      let at = header.itemCount * 2;
      for (let item = 0; item < header.itemCount; item++) {
        const length = content.readUInt16LE(item * 2);
        found.push(content.subarray(at, at + length));
        at += length;
      }
      expect(at).toBe(header.contentBytes);
    }
    expect(found.length).toBe(count);
    expect(Buffer.concat(found).equals(Buffer.concat(deltas))).toBe(true);
  });
});
