// The encoder: rounds of pages, from any source, into one stream of private pieces. The pieces of
// all calls in a row are a stream that a decoder follows, and with `finish` an archive.
import type { Encoder, EncoderOptions } from "../api.ts";
import { PagefoldError } from "../core/errors.ts";
import { keyObject } from "../core/seal.ts";
import type { PageSource } from "../image/image.ts";
import type { Batch } from "../pipeline/batch.ts";
import type { EngineResources } from "../pipeline/resources.ts";
import { faultOfName } from "../wire/imagehead.ts";
import { ArchiveSeal } from "../wire/seal.ts";
import { streamSink } from "./bytesink.ts";
import { EncodedImage } from "./encodedimage.ts";
import { FoldSession } from "./fold.ts";
import { Handover } from "./handover.ts";
import { levelParameters } from "./levels.ts";

interface RoundOptions {
  dirty?: Uint8Array;
  signal?: AbortSignal;
}

/** Takes memory of the engine until it is closed. */
export function openEncoder(resources: EngineResources, options: EncoderOptions = {}): Encoder {
  return new StreamEncoder(resources, options);
}

class StreamEncoder implements Encoder {
  private readonly resources: EngineResources;
  private readonly session: FoldSession;
  private readonly handover = new Handover<Uint8Array<ArrayBuffer>>();
  private readonly images = new Map<string, EncodedImage>();
  private readonly imageOf = new Map<number, EncodedImage>();
  /** What keeps it from taking more: a round that runs, or why it has ended. */
  private obstacle: string | undefined;
  private closed: Promise<void> | undefined;

  constructor(resources: EngineResources, options: EncoderOptions) {
    this.resources = resources;
    this.session = new FoldSession(resources, {
      sink: streamSink((bytes) => this.handover.put(bytes)),
      level: levelParameters(options.level),
      pageCount: undefined,
      clusterFd: undefined,
      isReadOnce: true,
      hasRounds: true,
      seal: options.key && ArchiveSeal.create(keyObject(options.key)),
      previousOf: (batch, page) => this.previousOf(batch, page),
    });
  }

  stream(
    name: string,
    source: PageSource,
    options: RoundOptions = {},
  ): AsyncIterable<Uint8Array<ArrayBuffer>> {
    return this.pieces(() => this.round(name, source, options), options.signal);
  }

  finish(): AsyncIterable<Uint8Array<ArrayBuffer>> {
    return this.pieces(async () => {
      await this.session.writer.finish(0);
      return "the stream is finished";
    }, undefined);
  }

  close(): Promise<void> {
    this.closed ??= this.end();
    return this.closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async end(): Promise<void> {
    this.fail(new PagefoldError("USAGE", "the encoder was closed"));
    await this.session.close();
  }

  /** The pieces that `produce` writes; what it returns keeps others from following. */
  private async *pieces(
    produce: () => Promise<string | undefined>,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
    if (this.obstacle) throw new PagefoldError("USAGE", `encoder: ${this.obstacle}`);
    this.obstacle = "another round is running";
    const onAbort = (): void => this.fail(signal?.reason);
    signal?.addEventListener("abort", onAbort);
    if (signal?.aborted) onAbort();
    const produced = this.produce(produce);
    try {
      for (;;) {
        const piece = await this.handover.take();
        if (!piece) break;
        yield piece;
      }
      this.obstacle = await produced;
    } finally {
      // A stream that was left in the middle of a batch cannot be continued.
      if (this.obstacle === "another round is running") {
        this.obstacle = "an earlier round was not read to its end";
        this.fail(new PagefoldError("USAGE", `encoder: ${this.obstacle}`));
        await produced;
      }
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** Never rejects: who takes the pieces is told of a failure. */
  private async produce(produce: () => Promise<string | undefined>): Promise<string | undefined> {
    try {
      const obstacle = await produce();
      await this.session.writer.flush();
      this.handover.end();
      return obstacle;
    } catch (error) {
      this.fail(error);
      await this.session.pipeline.drain().catch(() => undefined);
      return undefined;
    }
  }

  private fail(reason: unknown): void {
    this.session.pipeline.fail(reason);
    this.handover.fail(reason);
  }

  private async round(name: string, source: PageSource, options: RoundOptions): Promise<undefined> {
    let image = this.images.get(name);
    if (image) image.check(source, options.dirty);
    else image = this.begin(name, source, options.dirty);
    await image.send(source, options.dirty, options.signal);
    await this.session.pipeline.drain();
    image.end();
  }

  private begin(name: string, source: PageSource, dirty: Uint8Array | undefined): EncodedImage {
    const fault = faultOfName(name);
    if (fault) throw new PagefoldError("USAGE", `image name ${JSON.stringify(name)} ${fault}`);
    if (dirty) throw new PagefoldError("USAGE", `${name}: its first round has all frames`);
    const image = new EncodedImage(this.resources.arena, this.session, name, source.frameCount);
    this.images.set(name, image);
    this.imageOf.set(image.number, image);
    return image;
  }

  private previousOf(batch: Batch, page: number): number | undefined {
    return this.imageOf.get(batch.source.image)?.previousEntry(batch.frames.at(page));
  }
}
