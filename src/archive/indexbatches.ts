// Fetches batches of the index by pointer, each tested against its pointer and its checksum. The
// tail of the archive is held; what lies before it costs one read each.
import type { RandomAccess } from "../api.ts";
import { PagefoldError } from "../core/errors.ts";
import {
  BATCH_HEADER_BYTES,
  type BatchType,
  batchName,
  decodeBatchHeader,
  decodeHead,
} from "../wire/batch.ts";
import type { Checksum } from "../wire/checksum.ts";
import type { ArchiveSeal } from "../wire/seal.ts";
import { type ByteWindow, readRange } from "./bytesource.ts";

export interface IndexBatch {
  /** "LEAF batch 12", for messages. */
  readonly what: string;
  readonly sequence: number;
  /** Opened and inflated. */
  readonly head: Uint8Array;
}

export class IndexBatches {
  private readonly access: RandomAccess;
  private readonly tail: ByteWindow;
  private readonly checksum: Checksum;
  /** Undefined for an archive that is not sealed. */
  readonly seal: ArchiveSeal | undefined;

  constructor(
    access: RandomAccess,
    tail: ByteWindow,
    checksum: Checksum,
    seal: ArchiveSeal | undefined,
  ) {
    this.access = access;
    this.tail = tail;
    this.checksum = checksum;
    this.seal = seal;
  }

  /** The batch that `pointer` names, which must be of this type and length. Throws DAMAGED. */
  async load(
    type: BatchType,
    pointer: { byteOffset: number; byteLength: number },
    signal?: AbortSignal,
  ): Promise<IndexBatch> {
    const { byteOffset, byteLength } = pointer;
    if (byteLength < BATCH_HEADER_BYTES || byteOffset + byteLength > this.access.size) {
      const place = `${byteLength} bytes at offset ${byteOffset}`;
      throw new PagefoldError("DAMAGED", `index: ${place} hold no batch`);
    }
    const bytes =
      this.tail.find(byteOffset, byteLength) ??
      (await readRange(this.access, byteOffset, byteLength, "index", signal));
    const header = decodeBatchHeader(bytes, byteOffset);
    const what = batchName(header);
    if (header.type !== type || BATCH_HEADER_BYTES + header.headBytes !== byteLength) {
      throw new PagefoldError("DAMAGED", `${what}: not what the index says of it`);
    }
    const { checksum, seal } = this;
    const head = decodeHead(header, bytes, bytes.subarray(BATCH_HEADER_BYTES), checksum, seal);
    return { what, sequence: header.sequence, head };
  }
}
