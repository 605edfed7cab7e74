// Reads a stream as if it were a file, as long as nobody goes back behind its first MiB: enough for
// formats that are described in the order of the file.
import { PieceReader } from "../core/piecereader.ts";
import type { ReadAt } from "./layout.ts";

/** Room for the headers of as many mappings as a process may have by default (65 530). */
const PREFIX_BYTES = 4 << 20;

export class ForwardReads {
  /** Somebody went back too far, and was told that there is nothing. */
  wentBack = false;
  private readonly pieces: PieceReader;
  private prefix = new Uint8Array(0);
  private prefixBytes = 0;

  constructor(bytes: AsyncIterable<Uint8Array>, signal?: AbortSignal) {
    this.pieces = new PieceReader(bytes, signal);
  }

  /** More was read than what is kept of the beginning. */
  get isPastPrefix(): boolean {
    return this.pieces.position > PREFIX_BYTES;
  }

  readonly read: ReadAt = async (byteOffset, into) => {
    const kept = await this.readPrefix(byteOffset, into);
    if (kept === into.length || byteOffset + kept < PREFIX_BYTES) return kept;
    const at = byteOffset + kept;
    if (at < this.pieces.position) {
      this.wentBack = true;
      return kept;
    }
    await this.pieces.skip(at - this.pieces.position);
    return kept + (await this.pieces.takeInto(into.subarray(kept)));
  };

  /** The length of the stream, all of which is read. */
  async end(): Promise<number> {
    await this.pieces.skip(Infinity);
    return this.pieces.position;
  }

  async close(): Promise<void> {
    await this.pieces.close();
  }

  private async readPrefix(byteOffset: number, into: Uint8Array): Promise<number> {
    if (byteOffset >= PREFIX_BYTES) {
      // Whatever is passed by has to be kept.
      if (this.pieces.position < PREFIX_BYTES) await this.fillPrefix(PREFIX_BYTES);
      return 0;
    }
    await this.fillPrefix(Math.min(PREFIX_BYTES, byteOffset + into.length));
    const part = this.prefix.subarray(byteOffset, this.prefixBytes).subarray(0, into.length);
    into.set(part);
    return part.length;
  }

  private async fillPrefix(byteLength: number): Promise<void> {
    if (this.prefixBytes >= byteLength) return;
    if (this.prefix.length === 0) this.prefix = new Uint8Array(PREFIX_BYTES);
    const room = this.prefix.subarray(this.prefixBytes, byteLength);
    this.prefixBytes += await this.pieces.takeInto(room);
  }
}
