// The fingerprints of all frames of one image, for an image checksum after every round. Stretches
// of equal pages share one, so what a stream merely claims to be zero takes next to nothing.
import { FINGERPRINT_BYTES } from "../kernels/abi.ts";
import type { ImageChecksum } from "../pipeline/imagechecksum.ts";
import { readRange } from "./bytesource.ts";
import type { ClusterStore } from "./clusterstore.ts";

/** Frames of a piece: one node of the checksum. */
const PIECE_FRAMES = 256;
const PIECE_BYTES = PIECE_FRAMES * FINGERPRINT_BYTES;
const NOWHERE = new Uint8Array(0);

export class FrameFingerprints {
  /** One more than the last frame that is known. */
  frameCount = 0;
  /** Full pieces, or one fingerprint that all frames of the piece have. */
  private readonly pieces: Uint8Array[] = [];
  /** By piece: where it lies in a store while nobody needs it. */
  private readonly parked = new Map<number, number>();
  private readonly scratch = new Uint8Array(PIECE_BYTES);

  /** Sets the fingerprints (16 bytes each) of the frames from `frame` on. */
  set(frame: number, fingerprints: Uint8Array): void {
    let at = frame;
    for (let done = 0; done < fingerprints.length; ) {
      const start = (at % PIECE_FRAMES) * FINGERPRINT_BYTES;
      const part = fingerprints.subarray(done, done + PIECE_BYTES - start);
      this.piece(Math.floor(at / PIECE_FRAMES)).set(part, start);
      done += part.length;
      at += part.length / FINGERPRINT_BYTES;
    }
    this.frameCount = Math.max(this.frameCount, at);
  }

  /** Gives frames [frame, frame + count) one and the same fingerprint; it is not copied. */
  fill(frame: number, count: number, fingerprint: Uint8Array): void {
    const end = frame + count;
    for (let at = frame; at < end; ) {
      const index = Math.floor(at / PIECE_FRAMES);
      const first = at % PIECE_FRAMES;
      const length = Math.min(PIECE_FRAMES - first, end - at);
      if (length === PIECE_FRAMES) {
        this.pieces[index] = fingerprint;
      } else {
        const piece = this.piece(index);
        for (let i = first; i < first + length; i++) piece.set(fingerprint, i * FINGERPRINT_BYTES);
      }
      at += length;
    }
    this.frameCount = Math.max(this.frameCount, end);
  }

  /** Puts what takes room into `store`, until `fetch`; nothing can be set or fed meanwhile. */
  async park(store: ClusterStore): Promise<void> {
    for (const [index, piece] of this.pieces.entries()) {
      if (piece?.length !== PIECE_BYTES) continue;
      this.parked.set(index, await store.put(piece));
      this.pieces[index] = NOWHERE;
    }
  }

  async fetch(store: ClusterStore): Promise<void> {
    for (const [index, byteOffset] of this.parked) {
      this.pieces[index] = await readRange(store, byteOffset, PIECE_BYTES, "fingerprints");
    }
    this.parked.clear();
  }

  /** Feeds all frames to a checksum. */
  addTo(checksum: ImageChecksum): void {
    for (let frame = 0; frame < this.frameCount; frame += PIECE_FRAMES) {
      const count = Math.min(PIECE_FRAMES, this.frameCount - frame);
      const piece = this.pieces[frame / PIECE_FRAMES];
      const whole = piece.length === PIECE_BYTES ? piece : spread(piece, this.scratch);
      checksum.add(whole.subarray(0, count * FINGERPRINT_BYTES));
    }
  }

  /** A piece that can be written to. */
  private piece(index: number): Uint8Array {
    const held = this.pieces[index];
    if (held?.length === PIECE_BYTES) return held;
    const piece = new Uint8Array(PIECE_BYTES);
    if (held) spread(held, piece);
    this.pieces[index] = piece;
    return piece;
  }
}

function spread(fingerprint: Uint8Array, into: Uint8Array): Uint8Array {
  for (let at = 0; at < into.length; at += FINGERPRINT_BYTES) into.set(fingerprint, at);
  return into;
}
