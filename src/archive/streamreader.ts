// Reads a stream forwards, batch by batch, without its index: from a pipe there is no other way.
// Bodies are read in pieces by whoever wants them; nothing larger than a head or a cluster is held.
import { PagefoldError } from "../core/errors.ts";
import { PieceReader } from "../core/piecereader.ts";
import type { SealKey } from "../core/seal.ts";
import {
  BATCH_HEADER_BYTES,
  type BatchHeader,
  BatchType,
  batchName,
  decodeBatchHeader,
  decodeHead,
} from "../wire/batch.ts";
import type { Checksum } from "../wire/checksum.ts";
import type { ArchiveSeal } from "../wire/seal.ts";
import {
  decodeFooter,
  decodeSuperblock,
  looksLikeStream,
  STREAM_HEAD_BYTES,
  SUPERBLOCK_BYTES,
} from "../wire/superblock.ts";
import { openSeal } from "./openseal.ts";
import { SealSessions } from "./sealsessions.ts";

export interface StreamOptions {
  readonly checksum: Checksum;
  /**
   * Told of damage, one line each; what can be read behind it is read. Without it, damage throws.
   */
  readonly onFault?: ((fault: string) => void) | undefined;
  /** True if the stream may end after any batch: its sender says otherwise that it is complete. */
  readonly isOpenEnded?: boolean | undefined;
  /** Of a sealed archive. */
  readonly key?: SealKey | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface StreamBatch {
  /** "PAGES batch 12", for messages. */
  readonly what: string;
  readonly header: BatchHeader;
  /** Inflated; valid until the next call to the reader. */
  readonly head: Uint8Array;
}

const NOT_THE_ONE = "is not the one that belongs there";

export class StreamReader {
  private readonly pieces: PieceReader;
  private readonly options: StreamOptions;
  private seal: ArchiveSeal | undefined;
  /** Those of a sealed archive that have been seen. */
  sessions = new SealSessions(undefined);
  private sequence = 0;
  /** Bytes of the body that nobody has read yet. */
  private unreadBytes = 0;
  /** Where the archive ends, if its head says so; otherwise a FOOTER at the very end does. */
  private committedLength: number | undefined;
  /** Where the last FOOTER ended. */
  private footerEnd = -1;

  private constructor(bytes: AsyncIterable<Uint8Array>, options: StreamOptions) {
    this.pieces = new PieceReader(bytes, options.signal);
    this.options = options;
  }

  /** Reads the head of a stream. FORMAT when it is none. */
  static async open(
    bytes: AsyncIterable<Uint8Array>,
    options: StreamOptions,
  ): Promise<StreamReader> {
    const reader = new StreamReader(bytes, options);
    try {
      await reader.readStreamHead();
      return reader;
    } catch (error) {
      await reader.close();
      throw error;
    }
  }

  /** Bytes read so far. */
  get position(): number {
    return this.pieces.position;
  }

  /** The next batch; what is left of the body of the one before is passed over. */
  async next(): Promise<StreamBatch | undefined> {
    try {
      for (;;) {
        await this.passBody();
        const headerBytes = await this.nextHeader();
        if (!headerBytes) return undefined;
        const batch = await this.readBatch(headerBytes);
        if (batch) return batch;
      }
    } catch (error) {
      this.tolerate(error);
      return undefined;
    }
  }

  /** The next `byteLength` bytes of the body; valid until the next call. */
  async body(byteLength: number): Promise<Uint8Array> {
    const bytes = await this.pieces.take(byteLength);
    this.unreadBytes -= byteLength;
    if (bytes.length < byteLength) this.truncated();
    return bytes;
  }

  async close(): Promise<void> {
    await this.pieces.close();
  }

  private async readStreamHead(): Promise<void> {
    const head = (await this.pieces.take(STREAM_HEAD_BYTES)).slice();
    const blocks = [head.subarray(0, SUPERBLOCK_BYTES), head.subarray(SUPERBLOCK_BYTES)];
    if (!blocks.some(looksLikeStream)) {
      throw new PagefoldError("FORMAT", "stream: not a pagefold archive");
    }
    if (head.length < STREAM_HEAD_BYTES) this.truncated();
    const states = blocks.map((block) => decodeSuperblock(block, this.options.checksum));
    const [a, b] = states;
    this.seal = openSeal(states, this.options.key, "stream");
    this.sessions = new SealSessions(this.seal);
    if (!a && !b) this.tolerate(damage("both superblocks are damaged"));
    if (a && b) {
      // With one of them damaged only a FOOTER at the end tells how far the archive goes.
      const { generation, committedLength } = b.generation > a.generation ? b : a;
      this.committedLength = generation > 0 ? committedLength : undefined;
    } else if (this.options.onFault && (a || b)) {
      this.options.onFault(`superblock ${a ? 1 : 0}: wrong checksum`);
    }
  }

  private async passBody(): Promise<void> {
    const wanted = this.unreadBytes;
    this.unreadBytes = 0;
    if ((await this.pieces.skip(wanted)) < wanted) this.truncated();
  }

  /** Undefined where the stream is complete. */
  private async nextHeader(): Promise<Uint8Array | undefined> {
    const { position, committedLength } = this;
    if (committedLength !== undefined && position >= committedLength) {
      if (position > committedLength || this.footerEnd !== position) {
        throw damage(`no footer before byte ${committedLength}, where the archive ends`);
      }
      // What a killed append has left behind is read away, so that the sender can finish.
      while ((await this.pieces.skip(1 << 20)) > 0);
      return undefined;
    }
    const header = (await this.pieces.take(BATCH_HEADER_BYTES)).slice();
    if (header.length === BATCH_HEADER_BYTES) return header;
    const isComplete = this.footerEnd === position || this.options.isOpenEnded === true;
    if (header.length > 0 || committedLength !== undefined || !isComplete) this.truncated();
    return undefined;
  }

  /** Undefined if the batch is damaged and the next one may be read. */
  private async readBatch(headerBytes: Uint8Array): Promise<StreamBatch | undefined> {
    const { checksum } = this.options;
    const header = decodeBatchHeader(headerBytes, this.position - BATCH_HEADER_BYTES);
    const what = batchName(header);
    const stored = await this.pieces.take(header.headBytes);
    if (stored.length < header.headBytes) this.truncated();
    this.unreadBytes = header.bodyBytes;
    const { sequence } = this;
    this.sequence = header.sequence + 1;
    try {
      const head = decodeHead(header, headerBytes, stored, checksum, this.seal);
      const begins = header.byteOffset === this.footerEnd || sequence === 0;
      if (!this.sessions.take(header, begins)) this.tolerate(damage(`${what}: ${NOT_THE_ONE}`));
      if (header.sequence !== sequence) {
        this.tolerate(damage(`${what}: number ${sequence} was expected`));
      }
      if (header.type === BatchType.FOOTER) this.takeFooter(head, what);
      return { what, header, head };
    } catch (error) {
      // If the lengths are intact, the next header is where they say; if not, there is none.
      this.sequence = sequence + 1;
      this.tolerate(error);
      return undefined;
    }
  }

  private takeFooter(head: Uint8Array, what: string): void {
    const { committedLength } = decodeFooter(head, what);
    if (committedLength !== this.position) throw damage(`${what}: ends another archive`);
    this.footerEnd = this.position;
  }

  private truncated(): never {
    throw damage(`truncated: it ends after ${this.position} bytes`);
  }

  private tolerate(error: unknown): void {
    const { onFault } = this.options;
    if (!onFault || !(error instanceof PagefoldError && error.code === "DAMAGED")) throw error;
    onFault(error.message);
  }
}

function damage(reason: string): PagefoldError {
  return new PagefoldError("DAMAGED", `stream: ${reason}`);
}
