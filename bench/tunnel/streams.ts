// Makes files that hold the migration stream of a guest whose memory is an image, as QEMU would
// write it in one pass: what a tunnel can be measured with when no guest is to take the processors.
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { StreamMaker } from "../../test/support/qemustream.ts";
import { seededRandom } from "../../test/support/random.ts";

const PAGE_BYTES = 4096;
const CHUNK_PAGES = 256;

/** Writes the stream of the raw image at `path` to `output`; returns its bytes. */
export function writeStream(path: string, output: string, pages: number): number {
  const [input, stream] = [openSync(path, "r"), openSync(output, "w")];
  const chunk = new Uint8Array(CHUNK_PAGES * PAGE_BYTES);
  let byteLength = 0;
  const flush = (maker: StreamMaker): void => {
    byteLength += writeSync(stream, maker.out.take());
    maker.out.length = 0;
    maker.records.length = 0;
  };
  try {
    const maker = new StreamMaker();
    maker.magic().configuration("pc-q35-10.0").openReturnPath();
    maker.startRam([{ name: "pc.ram", pages }]).part(2);
    for (let first = 0; first < pages; first += CHUNK_PAGES) {
      const count = Math.min(CHUNK_PAGES, pages - first);
      readSync(input, chunk, 0, count * PAGE_BYTES, first * PAGE_BYTES);
      for (let i = 0; i < count; i++) {
        const page = chunk.slice(i * PAGE_BYTES, (i + 1) * PAGE_BYTES);
        const isZero = page.every((byte) => byte === 0);
        maker.record(isZero ? "zero" : "page", 0, first + i, isZero ? undefined : page);
      }
      flush(maker);
    }
    maker.endOfPart().footer().part(3).endOfPart().footer();
    maker.devices(seededRandom(1), 8).u8(0).description();
    flush(maker);
    return byteLength;
  } finally {
    closeSync(input);
    closeSync(stream);
  }
}
