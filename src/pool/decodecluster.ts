// Tests and decodes one cluster that lies in linear memory, and finds the items in it.
import {
  CLUSTER_COVERED_OFFSET,
  CLUSTER_HEADER_BYTES,
  CODEC_RAW,
  decodeClusterHeader,
  KIND_DELTAS,
} from "../core/cluster.ts";
import { PagefoldError } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import type { Kernels } from "../kernels/abi.ts";

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
 * Decodes the cluster (header and payload, `byteLength` bytes) at `source` to `target`, which has
 * room for 1 MiB; `resultPtr` has room for 8 bytes. Throws DAMAGED, naming the cluster.
 */
export function decodeCluster(
  memory: DecodeMemory,
  cluster: number,
  source: number,
  byteLength: number,
  target: number,
  resultPtr: number,
): DecodedCluster {
  const { kernels, view } = memory;
  const header = decodeClusterHeader(view, source, cluster, byteLength);
  kernels.checksum(source + CLUSTER_COVERED_OFFSET, byteLength - CLUSTER_COVERED_OFFSET, resultPtr);
  if (view.getBigUint64(resultPtr, true) !== view.getBigUint64(source, true)) {
    throw new PagefoldError("DAMAGED", `cluster ${cluster}: wrong checksum`);
  }
  const payload = source + CLUSTER_HEADER_BYTES;
  const { contentBytes, itemCount, payloadBytes } = header;
  if (header.codec === CODEC_RAW) {
    memory.bytes.copyWithin(target, payload, payload + payloadBytes);
  } else {
    const length = kernels.lz4Decompress(payload, payloadBytes, target, contentBytes);
    if (length !== contentBytes) {
      const reason = `LZ4 gives ${length} instead of ${contentBytes} bytes`;
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
