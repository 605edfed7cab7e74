// The content of a cluster by its codec (docs/format.md §1.3), decoded by the slow decoders.
import { lz4DecodeOracle } from "./lz4.ts";
import { zstdDecodeOracle } from "./zstd.ts";

/** Throws unless the payload decodes to exactly `contentBytes` bytes. */
export function clusterContentOracle(codec: number, payload: Uint8Array, contentBytes: number) {
  const content = decode(codec, payload, contentBytes);
  if (content?.length !== contentBytes) throw new Error(`codec ${codec}: broken payload`);
  return content;
}

function decode(codec: number, payload: Uint8Array, contentBytes: number) {
  if (codec === 1) return payload;
  if (codec === 2) return lz4DecodeOracle(payload, contentBytes);
  if (codec === 3) return zstdDecodeOracle(payload).content;
  return undefined;
}
