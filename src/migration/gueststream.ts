// The stream of one guest at the target, put together from batches, and what is proven of it. Where
// pages come by name, it goes on without those that are absent, and knows when none is.
import { PagefoldError } from "../core/errors.ts";
import type { UnfoldedPages } from "../pipeline/unfold.ts";
import type { AbsentPages } from "../qemu/absentpages.ts";
import { NO_HASHES, StreamProof } from "../qemu/streamproof.ts";
import { StreamUnfolder } from "../qemu/unfolder.ts";
import type { RunningChecksum } from "../wire/checksum.ts";
import type { SessionBatch } from "../wire/sessionheads.ts";
import type { OutputRoom } from "./outputroom.ts";
import type { GuestTargetSetup } from "./targethost.ts";

const NO_PAGES = new Uint8Array(0);

/** Bytes to be delivered, and how many of the source's stream they stand for. */
export interface StreamPart {
  readonly bytes: Uint8Array;
  readonly streamBytes: number;
}

export class GuestStream {
  /** Bytes of the source's stream, and pages, so far. */
  streamBytes = 0;
  pageCount = 0;
  private readonly name: string;
  private readonly checksum: RunningChecksum;
  private readonly room: OutputRoom;
  /** Undefined where the stream has to be, byte for byte, that of the source. */
  private readonly proof: StreamProof | undefined;
  private readonly unfolder: StreamUnfolder;
  /** Names that are waited for, and what to do when all have come. */
  private missing = new Set<number>();
  private settle: () => void = () => undefined;

  constructor({ name, checksum, room, hasNames }: GuestTargetSetup) {
    this.name = name;
    this.checksum = checksum;
    this.room = room;
    this.proof = hasNames ? new StreamProof(name, checksum) : undefined;
    this.unfolder = new StreamUnfolder(name, {
      ...(this.proof ? { proof: this.proof } : {}),
      takeBuffer: (byteLength) => room.take(byteLength),
    });
  }

  /** Of what has been put together so far. */
  get hash(): bigint {
    return (this.proof ?? this.checksum).digest();
  }

  /** A batch that will be unfolded later has these pages by name. */
  expect({ names }: AbsentPages): void {
    for (let i = 0; i < names.length; i++) this.unfolder.putOff.expect(names[i]);
  }

  /** The content of a name has come, valid during the call; its hash stands in `words` at `at`. */
  arrived(name: number, page: Uint8Array, words: Uint32Array, at: number): void {
    this.unfolder.putOff.arrived(name, page, words, at);
    if (this.missing.delete(name) && this.missing.size === 0) this.settle();
  }

  /** Names of what is put off, and of the next batch, whose pages have not come. */
  unsettled(absent: AbsentPages | undefined): readonly number[] {
    return this.unfolder.putOff.missing(absent?.names);
  }

  /**
   * Has `urge` ask for the pages of these names; resolves when they have come, or the stream was
   * given up.
   */
  settled(names: readonly number[], urge: () => void): Promise<void> {
    this.missing = new Set(names);
    return new Promise((resolve) => {
      this.settle = resolve;
      urge();
    });
  }

  giveUp(): void {
    this.settle();
  }

  /** Puts a batch together; what was put off and has come goes before it. */
  unfold(
    batch: SessionBatch,
    restored: UnfoldedPages | undefined,
    absent: AbsentPages | undefined,
  ): StreamPart[] {
    const { streamBytes, script } = batch;
    const { pages = NO_PAGES, pageCount = 0 } = restored ?? {};
    const { proof, unfolder } = this;
    const bytes = this.room.take(proof ? StreamUnfolder.roomFor(streamBytes) : streamBytes);
    const hashes = restored?.hashes ?? NO_HASHES;
    const beside = { ...(absent ? { absent } : {}), ...(proof ? { hashes } : {}) };
    const length = unfolder.unfold(script, pages, pageCount, bytes, beside);
    if (unfolder.streamBytes !== streamBytes) {
      const reason = `a batch of ${streamBytes} bytes has ${unfolder.streamBytes}`;
      throw new PagefoldError("DAMAGED", `session: ${this.name}: ${reason}`);
    }
    this.streamBytes += streamBytes;
    this.pageCount += pageCount;
    const parts = unfolder.putOff.takePieces().map((piece) => ({ bytes: piece, streamBytes: 0 }));
    const written = bytes.subarray(0, length);
    if (!proof) this.checksum.update(written);
    parts.push({ bytes: written, streamBytes });
    return parts;
  }

  /** Names that nothing waits for any more because of newer content, since the last call. */
  takeDropped(): readonly number[] {
    return this.unfolder.putOff.takeDropped();
  }
}
