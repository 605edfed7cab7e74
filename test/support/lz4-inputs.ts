// Inputs for tests of the LZ4 kernel: the lengths and patterns at which encoders break, and the
// few small ones whose blocks are frozen in vectors/lz4.json. All of them are seeded.
import { seededRandom } from "./random.ts";

export interface Lz4Input {
  name: string;
  input: Uint8Array;
}

const EDGES = [0, 1, 11, 12, 13, 16, 17, 18, 19, 64, 4095, 4096, 4097, 65535, 65536];

/** Period 251, so that a swapped block shows. */
function painted(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => at % 251);
}

/** Words that look like guest memory: pointers, small numbers, zeros, a little noise. */
export function memoryLike(length: number, seed: number): Uint8Array {
  const random = seededRandom(seed);
  const out = new Uint8Array(length);
  const view = new DataView(out.buffer);
  for (let at = 0; at + 8 <= length; at += 8) {
    const kind = random.int(8);
    if (kind < 3) {
      view.setUint32(at, 0x1000 * random.int(64), true);
      view.setUint32(at + 4, 0xffff8880, true);
    } else if (kind === 3) view.setUint32(at, random.int(100), true);
    else if (kind === 4) out.set(random.bytes(8), at);
  }
  return out;
}

export function lz4Inputs(seed: number): Lz4Input[] {
  return EDGES.flatMap((length) => [
    { name: `${length} zeros`, input: new Uint8Array(length) },
    { name: `${length} × 0xff`, input: new Uint8Array(length).fill(255) },
    { name: `${length} painted`, input: painted(length) },
    { name: `${length} random`, input: seededRandom(seed).bytes(length) },
    { name: `${length} like memory`, input: memoryLike(length, seed) },
  ]);
}

export function lz4VectorInputs(): Lz4Input[] {
  return [
    { name: "empty", input: new Uint8Array(0) },
    { name: "13 painted", input: painted(13) },
    { name: "4096 zeros", input: new Uint8Array(4096) },
    { name: "700 painted", input: painted(700) },
    { name: "512 like memory", input: memoryLike(512, 1) },
    { name: "65536 painted", input: painted(65536) },
  ];
}
