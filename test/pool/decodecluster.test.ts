// Clusters from bytes to pages: one payload of each codec, and what is refused by name.
import { describe, expect, it } from "vitest";
import { CODEC_LZ4, CODEC_RAW, CODEC_ZSTD, KIND_PAGES } from "../../src/core/cluster.ts";
import { DECODE_SCRATCH_BYTES, decodeCluster } from "../../src/pool/decodecluster.ts";
import { encodeCluster } from "../support/clusters.ts";
import { FIRST_FREE_BYTE, openKernels } from "../support/kernels.ts";
import { randomSeed, seededRandom } from "../support/random.ts";
import { zstdFrames } from "../support/zstd-frames.ts";
import { skippableFrame } from "../support/zstd-vectors.ts";

const SOURCE = FIRST_FREE_BYTE;
const TARGET = SOURCE + (1 << 16);
const SCRATCH = TARGET + (1 << 16);
const { kernels, bytes, view } = openKernels(
  "debug",
  SCRATCH + DECODE_SCRATCH_BYTES - FIRST_FREE_BYTE,
);
const content = seededRandom(randomSeed("decodecluster")).bytes(3 * 4096);
const contentBytes = content.length;

function decode(codec: number, payload: Uint8Array) {
  const cluster = encodeCluster({ contentBytes, codec, kind: KIND_PAGES, itemCount: 3 }, payload);
  bytes.set(cluster, SOURCE);
  const memory = { kernels, bytes, view };
  return decodeCluster(memory, 7, SOURCE, cluster.length, () => TARGET, SCRATCH);
}

describe("decodecluster", () => {
  /** One LZ4 block of literals alone. */
  const rest = contentBytes - 15;
  const literals = Buffer.concat([
    Buffer.of(0xf0),
    Buffer.alloc(Math.floor(rest / 255), 255),
    Buffer.of(rest % 255),
    content,
  ]);

  it.each<[string, number, Uint8Array]>([
    ["raw", CODEC_RAW, content],
    ["LZ4", CODEC_LZ4, literals],
    ["Zstandard", CODEC_ZSTD, zstdFrames(content)],
  ])("gives the content of a payload that is %s", (_, codec, payload) => {
    bytes.fill(0xa5, TARGET, TARGET + contentBytes);
    const decoded = decode(codec, payload);
    expect(decoded).toEqual({ ptr: TARGET, contentBytes, itemCount: 3, isDeltas: false });
    expect(Buffer.compare(bytes.subarray(TARGET, TARGET + contentBytes), content)).toBe(0);
  });

  it.each<[string, Uint8Array, string]>([
    ["two frames", zstdFrames(content, { frameBytes: 8192 }), "says 8192 bytes, the header 12288"],
    [
      "a skippable frame before it",
      Buffer.concat([skippableFrame(4), zstdFrames(content)]),
      "the payload begins no Zstandard frame",
    ],
    [
      "a skippable frame behind it",
      Buffer.concat([zstdFrames(content), skippableFrame(4)]),
      "12 bytes follow its Zstandard frame",
    ],
    [
      "an empty frame behind it",
      Buffer.concat([zstdFrames(content), zstdFrames(new Uint8Array(0))]),
      "17 bytes follow its Zstandard frame",
    ],
    ["no length in its head", zstdFrames(content, { isSized: false }), "says no number of bytes"],
    ["half a frame", zstdFrames(content).subarray(0, 5000), "its Zstandard frame is cut off"],
  ])("refuses a Zstandard payload with %s", (_, payload, reason) => {
    expect(() => decode(CODEC_ZSTD, payload)).toThrow(
      expect.objectContaining({ code: "DAMAGED", message: expect.stringContaining(reason) }),
    );
    expect(() => decode(CODEC_ZSTD, payload)).toThrow(/^cluster 7: /);
  });

  it("refuses what does not decode", () => {
    const broken = zstdFrames(content);
    broken[15] |= 3 << 1;
    expect(() => decode(CODEC_ZSTD, broken)).toThrow(/^cluster 7: /);
    expect(() => decode(CODEC_LZ4, literals.subarray(0, 9))).toThrow(
      /^cluster 7: LZ4 gives -\d+ instead of 12288 bytes$/,
    );
  });
});
