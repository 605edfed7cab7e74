// What is known of the frames of one image, cell by cell: kinds and entropy. Memory is bounded: as
// soon as there would be too many cells, neighbours become one.
import type { ExplainedMap } from "../explainapi.ts";
import { ENTROPY_PER_BIT } from "../kernels/layout.ts";
import { KIND_COUNT } from "./kindcodes.ts";

const FIRST_CAPACITY = 1024;

export class PageMap implements ExplainedMap {
  framesPerCell: number;
  frameCount = 0;
  counts = new Uint32Array(FIRST_CAPACITY * KIND_COUNT);
  entropySums = new Float64Array(FIRST_CAPACITY);
  readonly addresses: ExplainedMap["addresses"];
  private readonly limit: number;

  /** At most `limit` cells. */
  constructor(framesPerCell: number, limit: number, addresses: ExplainedMap["addresses"] = []) {
    this.framesPerCell = framesPerCell;
    this.limit = limit;
    this.addresses = addresses;
  }

  /** A copy that may be changed. */
  static from({ framesPerCell, frameCount, counts, entropySums, addresses }: ExplainedMap) {
    const map = new PageMap(framesPerCell, Number.POSITIVE_INFINITY, addresses);
    map.frameCount = frameCount;
    map.counts = counts.slice();
    map.entropySums = entropySums.slice();
    return map;
  }

  get cellCount(): number {
    return Math.ceil(this.frameCount / this.framesPerCell);
  }

  /** Adds the next frame. */
  add(kind: number, entropy: number): void {
    let cell = Math.floor(this.frameCount / this.framesPerCell);
    if (cell >= this.limit) {
      this.coarsen();
      cell = Math.floor(this.frameCount / this.framesPerCell);
    }
    if (cell >= this.entropySums.length) this.grow();
    this.counts[cell * KIND_COUNT + kind]++;
    this.entropySums[cell] += entropy;
    this.frameCount++;
  }

  /** Two neighbours become one cell. */
  coarsen(): void {
    const { counts, entropySums, cellCount } = this;
    const left = Math.ceil(cellCount / 2);
    for (let cell = 0; cell < left; cell++) {
      const hasSecond = cell * 2 + 1 < cellCount;
      for (let kind = 0; kind < KIND_COUNT; kind++) {
        const at = cell * 2 * KIND_COUNT + kind;
        counts[cell * KIND_COUNT + kind] = counts[at] + (hasSecond ? counts[at + KIND_COUNT] : 0);
      }
      entropySums[cell] = entropySums[cell * 2] + (hasSecond ? entropySums[cell * 2 + 1] : 0);
    }
    counts.fill(0, left * KIND_COUNT);
    entropySums.fill(0, left);
    this.framesPerCell *= 2;
  }

  /** Mean entropy in bits of at most `limit` regions of whole cells. */
  entropy(limit: number): { framesPerRegion: number; bits: number[] } {
    const cells = Math.max(1, Math.ceil(this.cellCount / limit));
    const framesPerRegion = cells * this.framesPerCell;
    const bits: number[] = [];
    for (let cell = 0; cell < this.cellCount; cell += cells) {
      const frames = Math.min(framesPerRegion, this.frameCount - cell * this.framesPerCell);
      const sum = this.entropySums.subarray(cell, cell + cells).reduce((a, b) => a + b, 0);
      bits.push(Math.round((sum / frames / ENTROPY_PER_BIT) * 1000) / 1000);
    }
    return { framesPerRegion, bits };
  }

  private grow(): void {
    const counts = new Uint32Array(this.counts.length * 2);
    const entropySums = new Float64Array(this.entropySums.length * 2);
    counts.set(this.counts);
    entropySums.set(this.entropySums);
    this.counts = counts;
    this.entropySums = entropySums;
  }
}
