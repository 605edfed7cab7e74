// The public types of streams that are made and taken round by round, without files.
import type { SealedOptions } from "./archiveapi.ts";
import type { SealKey } from "./core/seal.ts";
import type { PageSink, PageSource } from "./image/image.ts";

/** Names of the compression levels. `store` folds pages but compresses nothing. */
export type Level = "store" | "fast" | "balanced" | "small";

/** Rounds of pages into a stream of bytes; all its images share one scope. */
export interface Encoder extends AsyncDisposable {
  /**
   * One round of an image: all frames, or those whose bit is set in `dirty` (bit i of byte i >> 3
   * is frame i). The first call with a name begins the image and has all frames. Rounds of one
   * encoder run one after another; one that is aborted, fails or is not read to its end ends the
   * encoder. Nothing is made far ahead of what is taken.
   */
  stream(
    name: string,
    source: PageSource,
    options?: { dirty?: Uint8Array; signal?: AbortSignal },
  ): AsyncIterable<Uint8Array<ArrayBuffer>>;
  /** The index and the footer, after which the concatenation of all bytes is an archive. */
  finish(): AsyncIterable<Uint8Array<ArrayBuffer>>;
  /** Gives its memory back to the engine; a round that runs rejects. */
  close(): Promise<void>;
}

/** How an encoder encodes. */
export interface EncoderOptions {
  /** See `Level`. Default: "balanced". */
  level?: Level;
  /** Seals what it makes, as for packing. */
  key?: SealKey | undefined;
}

/** Takes the bytes of an encoder and fills sinks. */
export interface Decoder extends AsyncDisposable {
  /**
   * Reads `bytes` to their end. `sinkOf` is asked once for each image. Resolves when every round
   * that was begun is complete and its image checksum agrees; rejects with MISMATCH if not, and
   * with DAMAGED for a stream that is cut elsewhere. It need not have been finished: then only the
   * sender knows whether there is more to come. Clusters that later rounds may name are kept,
   * compressed, in memory and in a file without a name in the system's temporary directory.
   */
  decode(
    bytes: AsyncIterable<Uint8Array>,
    sinkOf: (name: string, frameCount: number | undefined) => PageSink | Promise<PageSink>,
    options?: { signal?: AbortSignal } & SealedOptions,
  ): Promise<void>;
  /** Ends what it decodes; that rejects. */
  close(): Promise<void>;
}
