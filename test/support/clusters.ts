// Writes clusters for tests of those who read them (docs/format.md §1.3); the product's own are
// written by the kernels.
import {
  CLUSTER_COVERED_OFFSET,
  CLUSTER_HEADER_BYTES,
  type ClusterHeader,
} from "../../src/core/cluster.ts";
import { xxh64 } from "../oracle/xxh64.ts";

/** Writes all but the checksum, which the kernels take over the finished cluster. */
export function encodeClusterHeader(view: DataView, at: number, header: ClusterHeader): void {
  view.setUint32(at + 8, header.payloadBytes, true);
  view.setUint32(at + 12, header.contentBytes, true);
  view.setUint8(at + 16, header.codec);
  view.setUint8(at + 17, header.kind);
  view.setUint16(at + 18, header.itemCount, true);
  view.setUint32(at + 20, 0, true);
}

/** A whole cluster. */
export function encodeCluster(
  header: Omit<ClusterHeader, "payloadBytes">,
  payload: Uint8Array,
): Uint8Array {
  const bytes = new Uint8Array(CLUSTER_HEADER_BYTES + payload.length);
  const view = new DataView(bytes.buffer);
  encodeClusterHeader(view, 0, { ...header, payloadBytes: payload.length });
  bytes.set(payload, CLUSTER_HEADER_BYTES);
  view.setBigUint64(0, xxh64(bytes.subarray(CLUSTER_COVERED_OFFSET)), true);
  return bytes;
}
