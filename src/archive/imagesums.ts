// The fingerprints of an image on their way into its checksum: those of all pages in order, or, for
// an image that was compared with a base, those of the base with what differs put in.
import { FINGERPRINT_BYTES } from "../kernels/abi.ts";
import type { FrameList } from "../pipeline/batch.ts";
import type { ImageChecksum } from "../pipeline/imagechecksum.ts";
import { FrameFingerprints } from "./framefingerprints.ts";

export class ImageSums {
  private readonly checksum: ImageChecksum;
  private known: FrameFingerprints | undefined;

  constructor(checksum: ImageChecksum) {
    this.checksum = checksum;
  }

  /** The first `frameCount` frames have these fingerprints until others are added. */
  expect(fingerprints: Uint8Array, frameCount: number): void {
    this.known = new FrameFingerprints();
    this.known.set(0, fingerprints.subarray(0, frameCount * FINGERPRINT_BYTES));
  }

  /** Takes the fingerprints of the frames of a batch; batches come in order. */
  add(frames: FrameList, fingerprints: Uint8Array): void {
    if (!this.known) this.checksum.add(fingerprints);
    for (let page = 0; this.known && page < frames.length; page++) {
      const at = page * FINGERPRINT_BYTES;
      this.known.set(frames.at(page), fingerprints.subarray(at, at + FINGERPRINT_BYTES));
    }
  }

  finish(byteLength: number, frameCount: number): Uint8Array<ArrayBuffer> {
    this.known?.addTo(this.checksum);
    return this.checksum.finish(byteLength, frameCount);
  }
}
