// Frames that the `zstd` command (1.5.4) wrote, frozen in vectors/zstd/, and what they hold. The
// contents are made from seeds; test/vectors/generate-zstd.ts writes the frames.
import { readFileSync } from "node:fs";
import { memoryLike } from "./lz4-inputs.ts";
import { seededRandom } from "./random.ts";
import { painted, skewed, textLike } from "./zstd-inputs.ts";

export interface ZstdVector {
  name: string;
  content: () => Uint8Array;
  /** What the command is called with; several frames where there are several lists. */
  frames: readonly (readonly string[])[];
  /** Whether the command reads from a pipe: it does not know the size then. */
  isPiped?: boolean;
  /** A skippable frame of so many bytes stands before, between and behind. */
  skippable?: number;
}

/** Text whose blocks look alike: their tables are worth repeating. */
function alike(): Uint8Array {
  const random = seededRandom(13);
  const words = textLike(6000, 9);
  const parts: Uint8Array[] = [];
  for (let i = 0; i < 3600; i++) {
    const at = random.int(words.length - 60);
    parts.push(
      words.subarray(at, at + 30 + random.int(30)),
      random.bytes(random.int(8) === 0 ? 1 : 0),
    );
  }
  return Buffer.concat(parts);
}

/** Long repeats with a little noise: many bytes from few, in windows of any size. */
export function sparse(length: number): Uint8Array {
  const random = seededRandom(11);
  const out = painted(length);
  for (let at = 0; at < length; at += 1 + random.int(2000)) out[at] = random.int(256);
  return out;
}

/** Incompressible, then a long zero run, then the beginning again. */
function mixed(): Uint8Array {
  const noise = seededRandom(12).bytes(3000);
  return Buffer.concat([noise, new Uint8Array(200_000), noise, memoryLike(4096, 2)]);
}

const LEVELS = Array.from({ length: 22 }, (_, i): ZstdVector => {
  const flags = [`-${i + 1}`, ...(i < 19 ? [] : ["--ultra"])];
  return { name: `level-${i + 1}`, content: () => textLike(2500, 1), frames: [flags] };
});

export const ZSTD_VECTORS: readonly ZstdVector[] = [
  ...LEVELS,
  { name: "fast-5", content: () => memoryLike(8192, 3), frames: [["--fast=5"]] },
  { name: "empty", content: () => new Uint8Array(0), frames: [["-3"]] },
  {
    name: "empty-piped",
    content: () => new Uint8Array(0),
    frames: [["-3", "--no-check"]],
    isPiped: true,
  },
  { name: "one-byte", content: () => Uint8Array.of(7), frames: [["-3", "--no-check"]] },
  { name: "zeros", content: () => new Uint8Array(300_000), frames: [["-3"]] },
  { name: "random", content: () => seededRandom(5).bytes(1500), frames: [["-3"]] },
  { name: "skewed", content: () => skewed(5000, 6), frames: [["-6"]] },
  { name: "mixed", content: mixed, frames: [["-5"]] },
  { name: "piped", content: () => textLike(9000, 7), frames: [["-4"]], isPiped: true },
  { name: "alike-1", content: alike, frames: [["-1", "--no-check"]] },
  { name: "alike-19", content: alike, frames: [["-19"]] },
  { name: "long", content: () => sparse(900_000), frames: [["-3", "--long=27"]], isPiped: true },
  {
    name: "small-window",
    content: () => sparse(2_500_000),
    frames: [["-1", "--zstd=wlog=17"]],
    isPiped: true,
  },
  {
    name: "tiny-window",
    content: () => sparse(30_000),
    frames: [["-9", "--zstd=wlog=10"]],
    isPiped: true,
  },
  {
    name: "tiny-blocks",
    content: () => textLike(24_000, 14),
    frames: [["-5", "--zstd=wlog=11"]],
    isPiped: true,
  },
  {
    name: "small-blocks",
    content: () => skewed(24_000, 15),
    frames: [["-19", "--zstd=wlog=12"]],
    isPiped: true,
  },
  {
    name: "many-frames",
    content: () => memoryLike(6000, 8),
    frames: [["-1"], ["-19", "--no-check"], ["-3"]],
  },
  {
    name: "skippable",
    content: () => memoryLike(2048, 8),
    frames: [["-1"], ["-7"]],
    skippable: 100,
  },
];

/** The pieces of the content that the frames hold, in order. */
export function contentsOf({ content, frames }: ZstdVector): Uint8Array[] {
  const all = content();
  const size = Math.ceil(all.length / frames.length);
  return frames.map((_, i) => all.subarray(i * size, (i + 1) * size));
}

export function skippableFrame(byteLength: number): Uint8Array {
  const frame = Buffer.alloc(8 + byteLength, 0x5a);
  frame.writeUInt32LE(0x184d2a53, 0);
  frame.writeUInt32LE(byteLength, 4);
  return frame;
}

export function zstdVectorPath(name: string): URL {
  return new URL(`../vectors/zstd/${name}.zst`, import.meta.url);
}

export function readZstdVector(name: string): Uint8Array {
  return new Uint8Array(readFileSync(zstdVectorPath(name)));
}
