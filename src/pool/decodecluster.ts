// Tests and decodes one cluster that lies in linear memory, and finds the items in it.
import {
  CLUSTER_COVERED_OFFSET,
  CLUSTER_HEADER_BYTES,
  CODEC_LZ4,
  CODEC_RAW,
  decodeClusterHeader,
  KIND_DELTAS,
} from "../core/cluster.ts";
import { copyBytes } from "../core/copy.ts";
import { PagefoldError } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { faultOfZstdPayload } from "../core/zstdframe.ts";
import { type Kernels, ZSTD_DECODE_BYTES } from "../kernels/abi.ts";

/** Scratch memory that decoding a cluster needs. */
export const DECODE_SCRATCH_BYTES = ZSTD_DECODE_BYTES;

/** A decoded cluster in linear memory. */
export interface DecodedCluster {
  readonly ptr: number;
  readonly contentBytes: number;
  readonly itemCount: number;
  readonly isDeltas: boolean;
}

/** The memory that a decoder works on: kernels and views over it. */
export interface DecodeMemory {
  readonly kernels: Kernels;
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/**
 * Decodes the cluster (header and payload, `byteLength` bytes) at `source` to where `place` says,
 * once the bytes of the content are known; `scratchPtr` has DECODE_SCRATCH_BYTES. One that was
 * sealed was tested when it was opened. Throws DAMAGED, naming the cluster.
 */
export function decodeCluster(
  memory: DecodeMemory,
  cluster: number,
  source: number,
  byteLength: number,
  place: (contentBytes: number) => number,
  scratchPtr: number,
  wasSealed = false,
): DecodedCluster {
  const { kernels, view } = memory;
  const header = decodeClusterHeader(view, source, cluster, byteLength);
  const coveredBytes = byteLength - CLUSTER_COVERED_OFFSET;
  if (!wasSealed) kernels.checksum(source + CLUSTER_COVERED_OFFSET, coveredBytes, scratchPtr);
  if (!wasSealed && view.getBigUint64(scratchPtr, true) !== view.getBigUint64(source, true)) {
    throw new PagefoldError("DAMAGED", `cluster ${cluster}: wrong checksum`);
  }
  const payload = source + CLUSTER_HEADER_BYTES;
  const { contentBytes, itemCount, payloadBytes } = header;
  const target = place(contentBytes);
  if (header.codec === CODEC_RAW) {
    if (payloadBytes > 0) copyBytes(memory.bytes, payload, memory.bytes, target, payloadBytes);
  } else {
    const isLz4 = header.codec === CODEC_LZ4;
    // The kernel would take several frames, and skippable ones that hold anything.
    const bytes = memory.bytes.subarray(payload, payload + payloadBytes);
    const fault = isLz4 ? undefined : faultOfZstdPayload(bytes, contentBytes);
    if (fault !== undefined) throw new PagefoldError("DAMAGED", `cluster ${cluster}: ${fault}`);
    const length = isLz4
      ? kernels.lz4Decompress(payload, payloadBytes, target, contentBytes)
      : kernels.zstdDecompress(payload, payloadBytes, target, contentBytes, scratchPtr);
    if (length !== contentBytes) {
      const codec = isLz4 ? "LZ4" : "Zstandard";
      const reason = `${codec} gives ${length} instead of ${contentBytes} bytes`;
      throw new PagefoldError("DAMAGED", `cluster ${cluster}: ${reason}`);
    }
  }
  return { ptr: target, contentBytes, itemCount, isDeltas: header.kind === KIND_DELTAS };
}

/** Address and length of an item; undefined if the cluster has no such item or lies about it. */
export function itemRange(
  view: DataView,
  decoded: DecodedCluster,
  item: number,
): { ptr: number; byteLength: number } | undefined {
  if (item >= decoded.itemCount) return undefined;
  if (!decoded.isDeltas) {
    return { ptr: decoded.ptr + item * PAGE_BYTES, byteLength: PAGE_BYTES };
  }
  let offset = decoded.itemCount * 2;
  if (offset > decoded.contentBytes) return undefined;
  for (let i = 0; i < item; i++) offset += view.getUint16(decoded.ptr + i * 2, true);
  const byteLength = view.getUint16(decoded.ptr + item * 2, true);
  if (offset + byteLength > decoded.contentBytes) return undefined;
  return { ptr: decoded.ptr + offset, byteLength };
}
