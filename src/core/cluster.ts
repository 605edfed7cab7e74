// Pages that are compressed together (docs/format.md §1.3): the 24-byte header before the payload.
// It names no cluster number: workers finish a cluster before its number in the stream is known.
import { PagefoldError } from "./errors.ts";
import { MAX_CLUSTER_BYTES, MAX_CLUSTER_ITEMS } from "./limits.ts";
import { PAGE_BYTES } from "./page.ts";

//    0  u64 XXH64 of everything from byte 8 on, payload included
//    8  u32 payload length     16  u8 codec   17  u8 kind   18  u16 items
//   12  u32 content length     20  u32 0
export const CLUSTER_HEADER_BYTES = 24;
/** Where the bytes begin that the checksum covers. */
export const CLUSTER_COVERED_OFFSET = 8;

export const CODEC_RAW = 1;
export const CODEC_LZ4 = 2;
export const CODEC_ZSTD = 3;
export const KIND_PAGES = 1;
export const KIND_DELTAS = 2;

export interface ClusterHeader {
  payloadBytes: number;
  contentBytes: number;
  codec: number;
  kind: number;
  itemCount: number;
}

/**
 * Reads and checks the header at `at` of a cluster that is known to be number `cluster` and to
 * take `byteLength` bytes with its header.
 */
export function decodeClusterHeader(
  view: DataView,
  at: number,
  cluster: number,
  byteLength: number,
): ClusterHeader {
  const fail = (reason: string): never => {
    throw new PagefoldError("DAMAGED", `cluster ${cluster}: ${reason}`);
  };
  if (byteLength < CLUSTER_HEADER_BYTES) fail(`${byteLength} bytes are no cluster`);
  const header = {
    payloadBytes: view.getUint32(at + 8, true),
    contentBytes: view.getUint32(at + 12, true),
    codec: view.getUint8(at + 16),
    kind: view.getUint8(at + 17),
    itemCount: view.getUint16(at + 18, true),
  };
  if (view.getUint32(at + 20, true) !== 0) fail("reserved bytes are not zero");
  if (header.payloadBytes !== byteLength - CLUSTER_HEADER_BYTES) {
    fail(`a payload of ${header.payloadBytes} bytes in ${byteLength}`);
  }
  if (header.codec < CODEC_RAW || header.codec > CODEC_ZSTD) fail(`codec ${header.codec}`);
  if (header.kind !== KIND_PAGES && header.kind !== KIND_DELTAS) fail(`kind ${header.kind}`);
  if (header.itemCount < 1 || header.itemCount > MAX_CLUSTER_ITEMS) {
    fail(`${header.itemCount} items`);
  }
  if (header.contentBytes > MAX_CLUSTER_BYTES) fail(`${header.contentBytes} bytes of content`);
  if (header.kind === KIND_PAGES && header.contentBytes !== header.itemCount * PAGE_BYTES) {
    fail(`${header.contentBytes} bytes for ${header.itemCount} pages`);
  }
  if (header.codec === CODEC_RAW && header.contentBytes !== header.payloadBytes) {
    fail(`${header.payloadBytes} raw bytes for ${header.contentBytes}`);
  }
  return header;
}
