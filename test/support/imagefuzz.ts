// Opens mutated image files the way that the engine opens files, and reads all of them. Whatever
// the bytes say: it ends, soon, without taking memory because a header asks for it; what is read in
// place is cut into a partition of the file; what was taken apart is put together to the same
// bytes; anything else is one clear line. PAGEFOLD_FUZZ_ROUNDS=100000 asks for the long form.
import { PagefoldError } from "../../src/core/errors.ts";
import { Containers } from "../../src/image/containers/containers.ts";
import { imageIn } from "../../src/image/open.ts";
import type { ForwardImage, ImageFile } from "../../src/image/opened.ts";
import type { StoredFile } from "../../src/image/storedfile.ts";
import { type Recompress, WovenFile } from "../../src/image/wovenfile.ts";
import { randomSeed, type SeededRandom, seededRandom } from "./random.ts";

export const NAME = "fuzzed.img";
const CODES = ["FORMAT", "DAMAGED", "LIMIT"];
const DEFAULT_ROUNDS = 300;
const MAX_MEMORY_BYTES = 64 << 20;
const MAX_CPU_MS = 1000;
const MAX_LINE = 300;
/** More than any good input here holds, so that a bomb ends the round and not the test. */
const MAX_CONTENT_BYTES = 256 << 20;

export interface ImageFuzz {
  /** Of the format, for the seed's line. */
  readonly name: string;
  readonly rounds?: number;
  /** Mutations lie before this, most of them near the beginning; default: all of the file. */
  readonly hotBytes?: number;
  /** For formats whose pages are compressed. */
  readonly recompress?: Recompress;
}

/** What came out, by format or code of the error: a look at whether the fuzz reaches anything. */
export async function fuzzImage(
  good: Uint8Array,
  { name, rounds = roundsWanted(), hotBytes = good.length, recompress }: ImageFuzz,
): Promise<Map<string, number>> {
  const random = seededRandom(randomSeed(`fuzz of ${name}`));
  const containers = new Containers();
  const outcomes = new Map<string, number>();
  let peakBytes = 0;
  for (let round = 0; round < rounds; round++) {
    const bytes = round === 0 ? good : mutated(good, hotBytes, random);
    const before = memoryBytes();
    const began = process.cpuUsage();
    const outcome = await openAndRead(bytes, containers, recompress).catch((error) => {
      throw new Error(`${name}, round ${round}: ${error}`, { cause: error });
    });
    const { user, system } = process.cpuUsage(began);
    const taken = memoryBytes() - before;
    peakBytes = Math.max(peakBytes, taken);
    const cpuMs = (user + system) / 1000;
    if (cpuMs > MAX_CPU_MS) throw new Error(`${name}, round ${round}: took ${cpuMs} ms`);
    if (taken > MAX_MEMORY_BYTES + 4 * good.length) {
      throw new Error(`${name}, round ${round}: took ${taken} bytes of memory`);
    }
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  const found = [...outcomes].map(([outcome, count]) => `${outcome} ${count}`).join(", ");
  console.log(`fuzz of ${name}: ${rounds} rounds, at most ${peakBytes >> 20} MiB: ${found}`);
  return outcomes;
}

function roundsWanted(): number {
  return Number(process.env.PAGEFOLD_FUZZ_ROUNDS ?? DEFAULT_ROUNDS);
}

function memoryBytes(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

async function openAndRead(
  bytes: Uint8Array,
  containers: Containers,
  recompress: Recompress | undefined,
): Promise<string> {
  let image: ImageFile | ForwardImage;
  try {
    image = await imageIn(storedBytes(bytes), containers);
  } catch (error) {
    return refusal(error);
  }
  try {
    if (image.fd !== undefined) {
      checkPartition(image.segments, image.byteLength);
    } else {
      await checkContent(image, bytes, recompress);
    }
    return image.decompressed ? `${image.format} in ${image.decompressed}` : image.format;
  } catch (error) {
    return refusal(error);
  } finally {
    await image.close();
  }
}

function refusal(error: unknown): string {
  if (!(error instanceof PagefoldError)) throw error;
  const { code, message } = error;
  const isLine = message.startsWith(`${NAME}: `) && !message.includes("\n");
  if (!CODES.includes(code) || !isLine || message.length > MAX_LINE) {
    throw new Error(`is no clear line: ${code} ${JSON.stringify(message)}`);
  }
  return code;
}

function checkPartition(
  segments: readonly { byteOffset: number; byteLength: number }[],
  byteLength: number,
): void {
  let at = 0;
  for (const segment of segments) {
    if (segment.byteOffset !== at || segment.byteLength < 1) throw new Error(`no segment at ${at}`);
    at += segment.byteLength;
  }
  if (at !== byteLength) throw new Error(`segments end at ${at} of ${byteLength}`);
}

async function checkContent(
  image: ForwardImage,
  file: Uint8Array,
  recompress: Recompress | undefined,
): Promise<void> {
  const pieces: Uint8Array[] = [];
  let byteLength = 0;
  for await (const piece of image.content()) {
    byteLength += piece.length;
    if (image.woven && !image.decompressed) pieces.push(new Uint8Array(piece));
    if (byteLength > MAX_CONTENT_BYTES) return;
  }
  if (image.segments) checkPartition(image.segments, byteLength);
  if (!image.woven || image.decompressed) return;
  if (image.woven.fileBytes !== file.length) throw new Error(`weaves ${image.woven.fileBytes}`);
  const content = Buffer.concat(pieces);
  const none: Recompress = () => {
    throw new Error("pages are compressed, and the test has nothing for that");
  };
  const read = async (at: number, into: Uint8Array) =>
    into.set(content.subarray(at, at + into.length));
  const woven = await WovenFile.open(read, content.length, NAME, recompress ?? none);
  const again = new Uint8Array(file.length);
  await woven.read(0, again);
  if (Buffer.compare(again, file) !== 0) throw new Error("is not put together again");
}

/** A file that is in memory; where it lies must not matter before its pages are read. */
export function storedBytes(bytes: Uint8Array): StoredFile {
  const read = async (at: number, into: Uint8Array) => {
    const piece = bytes.subarray(at, at + into.length);
    into.set(piece);
    return piece.length;
  };
  return {
    path: NAME,
    fd: -1,
    byteLength: bytes.length,
    isSparse: false,
    mtimeNs: 0n,
    read,
    async *pieces() {
      for (let at = 0; at < bytes.length; at += 1 << 16) yield bytes.subarray(at, at + (1 << 16));
    },
    checkUnchanged: () => undefined,
    close: async () => undefined,
  };
}

function mutated(good: Uint8Array, hotBytes: number, random: SeededRandom): Uint8Array {
  // Not `slice`, which gives a view where `good` is a Buffer.
  let bytes = new Uint8Array(good);
  for (let changes = 1 + random.int(4); changes > 0 && bytes.length > 0; changes--) {
    const at = placeOf(Math.min(hotBytes, bytes.length), random);
    switch (random.int(8)) {
      case 0:
        bytes[at] ^= 1 << random.int(8);
        break;
      case 1:
        bytes[at] = random.int(256);
        break;
      case 2:
        bytes.fill(0xff, at, at + 1 + random.int(8));
        break;
      case 3:
        bytes.fill(0, at, at + 1 + random.int(8));
        break;
      case 4:
        bytes.copyWithin(at, placeOf(bytes.length, random), bytes.length - random.int(64));
        break;
      case 5:
        bytes = bytes.slice(0, at);
        break;
      default:
        setNumber(bytes, at - (at % 4), random);
    }
  }
  return bytes;
}

/** Half of them in the first 256 bytes, the others anywhere. */
function placeOf(limit: number, random: SeededRandom): number {
  return random.int(random.int(2) === 0 ? Math.min(256, limit) : limit);
}

/** A field of 4 or 8 bytes, in either order, near the edges of what numbers there are. */
function setNumber(bytes: Uint8Array, at: number, random: SeededRandom): void {
  const field = new DataView(new ArrayBuffer(8));
  const isLittle = random.int(2) === 0;
  const value = (1n << BigInt(random.int(65))) + BigInt(random.int(5) - 2);
  field.setBigUint64(0, BigInt.asUintN(64, value), isLittle);
  const wide = new Uint8Array(field.buffer);
  const width = random.int(2) === 0 ? wide : isLittle ? wide.subarray(0, 4) : wide.subarray(4);
  bytes.set(width.subarray(0, bytes.length - at), at);
}
