// Images that change from round to round, as page sources with dirty bits, and sinks that remember
// what they were given. It knows nothing of how rounds are encoded.
import type { PageSink, PageSource } from "../../src/image/image.ts";
import type { SeededRandom } from "./random.ts";

const PAGE_BYTES = 4096;

/** The pages of `image`, whatever they are when they are read. */
export function sourceOf(image: Uint8Array): PageSource & { reads: number } {
  return {
    frameCount: image.length / PAGE_BYTES,
    reads: 0,
    async read(frame, count, into) {
      this.reads++;
      into.set(image.subarray(frame * PAGE_BYTES, (frame + count) * PAGE_BYTES));
    },
  };
}

/** Changes about `share` of the pages, each in its own way; returns the dirty bits. */
export function dirtySome(random: SeededRandom, image: Uint8Array, share: number): Uint8Array {
  const frameCount = image.length / PAGE_BYTES;
  const dirty = new Uint8Array(Math.ceil(frameCount / 8));
  for (let frame = 0; frame < frameCount; frame++) {
    if (random.int(1000) >= share * 1000) continue;
    dirty[frame >> 3] |= 1 << (frame & 7);
    const page = image.subarray(frame * PAGE_BYTES, (frame + 1) * PAGE_BYTES);
    const other = random.int(frameCount) * PAGE_BYTES;
    switch (random.int(8)) {
      case 0:
        page.fill(0);
        break;
      case 1:
        page.set(Buffer.alloc(PAGE_BYTES, random.bytes(8)));
        break;
      case 2:
        page.set(image.slice(other, other + PAGE_BYTES));
        break;
      case 3:
        page.set(random.bytes(PAGE_BYTES));
        break;
      case 4:
        // Marked as dirty and written with what was there before.
        break;
      default:
        for (let i = 0; i < 4; i++) page[random.int(PAGE_BYTES)] = random.int(256);
    }
  }
  return dirty;
}

/** A sink over a buffer; with `takesZeros` it is told of zeros instead of being given them. */
export function sinkInto(image: Buffer, takesZeros: boolean): PageSink & { longest: number } {
  const sink: PageSink & { longest: number } = {
    longest: 0,
    async write(frame, pages) {
      this.longest = Math.max(this.longest, pages.length);
      image.set(pages, frame * PAGE_BYTES);
    },
  };
  if (takesZeros) {
    sink.zero = async (frame, count) => {
      image.fill(0, frame * PAGE_BYTES, (frame + count) * PAGE_BYTES);
    };
  }
  return sink;
}

/** All pieces of an iteration in one, and the pieces. */
export async function takeAll(
  pieces: AsyncIterable<Uint8Array<ArrayBuffer>>,
  into: Uint8Array[] = [],
): Promise<number> {
  let byteLength = 0;
  for await (const piece of pieces) {
    into.push(piece);
    byteLength += piece.length;
  }
  return byteLength;
}
