// Frames by the content of their pages: of each content the first frame that has it. A hint, made
// of fingerprints: whoever asks compares before use. It takes 8 to 16 bytes for each frame.
import { FINGERPRINT_BYTES } from "../kernels/abi.ts";
import type { SumTree } from "./storesums.ts";

export class PageIndex {
  private readonly tree: SumTree;
  /** Frames + 1, by the low bits of their fingerprints. */
  private readonly places: Uint32Array;

  /** `tree` has the fingerprints, and is told of changes first. */
  constructor(tree: SumTree) {
    this.tree = tree;
    this.places = new Uint32Array(2 ** Math.ceil(Math.log2(2 * tree.frameCount + 1)));
  }

  /** The page of a frame has changed. */
  enter(frame: number): void {
    const place = this.placeOf(frame);
    const there = this.places[place];
    const isBetter = there > frame || there === 0 || !this.areEqual(there - 1, frame);
    if (isBetter) this.places[place] = frame + 1;
  }

  /** A frame that seems to have the page of this one. */
  sameAs(frame: number): number | undefined {
    const other = this.places[this.placeOf(frame)] - 1;
    return other >= 0 && other !== frame && this.areEqual(other, frame) ? other : undefined;
  }

  private areEqual(a: number, b: number): boolean {
    return this.tree.has(a, this.tree.leaves, b);
  }

  private placeOf(frame: number): number {
    const { leaves } = this.tree;
    const at = frame * FINGERPRINT_BYTES;
    const low =
      leaves[at] | (leaves[at + 1] << 8) | (leaves[at + 2] << 16) | (leaves[at + 3] << 24);
    return low & (this.places.length - 1);
  }
}
