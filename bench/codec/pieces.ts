// Codecs that code pieces of one size, one by one: our kernels, and fflate. Pieces that do not get
// smaller are stored, as an archive would do, and cost the decoder nothing.
import { deflateSync, inflateSync } from "fflate";
import {
  type Kernels,
  LZ4_SCRATCH_BYTES,
  ZSTD_COMPRESS_SCRATCH_BYTES,
  ZSTD_DECODE_BYTES,
} from "../../src/kernels/abi.ts";
import { compileKernels, createMemory, instantiateKernels } from "../../src/kernels/load.ts";

export interface CodecSpeed {
  name: string;
  ratio: number;
  /** Of the fastest run, in units of 10^6 bytes per second, as the `zstd` command tells them. */
  encodeMegabytes: number;
  decodeMegabytes: number;
}

/** A codec over the first `byteLength` bytes of the pages, in pieces of one size. */
export interface PieceCodec {
  name: string;
  byteLength: number;
  /** Codes all pieces; returns the bytes stored. */
  encode(): number;
  /** Decodes all pieces of the last `encode`. */
  decode(): void;
  /** Whether `decode` gave the pages back. */
  isRight(): boolean;
}

/** The first 64 KiB belong to the module. */
const SCRATCH_PTR = 65536;
const SCRATCH_BYTES = Math.max(LZ4_SCRATCH_BYTES, ZSTD_COMPRESS_SCRATCH_BYTES, ZSTD_DECODE_BYTES);
/** What kernels may read before and behind their input. */
const MARGIN_BYTES = 4096;
const LZ4_MAX_BYTES = 65536;
/** fflate gets no more than this of the pages, or it would take most of the time. */
const FFLATE_BYTES = 8 << 20;

type Encode = (from: number, length: number, to: number, capacity: number) => number;
type Decode = (from: number, length: number, to: number, capacity: number) => number;

/** The kernels over one memory: scratch, pages, what is encoded, what is decoded again. */
export function openKernelCodecs(pages: Uint8Array): (pieceBytes: number) => PieceCodec[] {
  const pagesPtr = SCRATCH_PTR + SCRATCH_BYTES + MARGIN_BYTES;
  const codedPtr = pagesPtr + pages.length + MARGIN_BYTES;
  const decodedPtr = codedPtr + pages.length + MARGIN_BYTES;
  const memory = createMemory(decodedPtr + pages.length + MARGIN_BYTES);
  const bytes = new Uint8Array(memory.buffer);
  bytes.set(pages, pagesPtr);
  const kernels = instantiateKernels(compileKernels(), memory);

  function codecOf(name: string, pieceBytes: number, encode: Encode, decode: Decode): PieceCodec {
    const lengths: number[] = [];
    return {
      name,
      byteLength: pages.length,
      encode() {
        lengths.length = 0;
        let coded = codedPtr;
        for (let at = 0; at < pages.length; at += pieceBytes) {
          const length = Math.min(pieceBytes, pages.length - at);
          const codedLength = encode(pagesPtr + at, length, coded, length - 1);
          lengths.push(codedLength);
          coded += codedLength || length;
        }
        return coded - codedPtr;
      },
      decode() {
        let coded = codedPtr;
        lengths.forEach((codedLength, i) => {
          const at = i * pieceBytes;
          const length = Math.min(pieceBytes, pages.length - at);
          if (codedLength > 0) decode(coded, codedLength, decodedPtr + at, length);
          coded += codedLength || length;
        });
      },
      isRight: () =>
        lengths.every((codedLength, i) => {
          if (codedLength === 0) return true;
          const [from, to] = [i * pieceBytes, Math.min((i + 1) * pieceBytes, pages.length)];
          const decoded = bytes.subarray(decodedPtr + from, decodedPtr + to);
          return Buffer.compare(decoded, pages.subarray(from, to)) === 0;
        }),
    };
  }

  return (pieceBytes) => {
    const codecs = zstdLevels(kernels).map(({ name, encode, decode }) =>
      codecOf(name, pieceBytes, encode, decode),
    );
    if (pieceBytes > LZ4_MAX_BYTES) return codecs;
    const encodeLz4: Encode = (from, length, to, capacity) =>
      kernels.lz4Compress(from, length, to, capacity, SCRATCH_PTR);
    return [...codecs, codecOf("ours, LZ4", pieceBytes, encodeLz4, kernels.lz4Decompress)];
  };
}

function zstdLevels(kernels: Kernels): { name: string; encode: Encode; decode: Decode }[] {
  const decode: Decode = (from, length, to, capacity) =>
    kernels.zstdDecompress(from, length, to, capacity, SCRATCH_PTR);
  return ["balanced", "small"].map((name, i) => ({
    name: `ours, ${name}`,
    encode: (from, length, to, capacity) =>
      kernels.zstdCompress(from, length, to, capacity, i + 1, SCRATCH_PTR),
    decode,
  }));
}

export function openFflate(pages: Uint8Array, pieceBytes: number): PieceCodec {
  const source = pages.subarray(0, FFLATE_BYTES);
  const coded: Uint8Array[] = [];
  const decoded = new Uint8Array(source.length);
  const pieceAt = (i: number) => source.subarray(i * pieceBytes, (i + 1) * pieceBytes);
  return {
    name: "fflate, level 1, 8 MiB",
    byteLength: source.length,
    encode() {
      coded.length = 0;
      let storedBytes = 0;
      for (let i = 0; i * pieceBytes < source.length; i++) {
        coded.push(deflateSync(pieceAt(i), { level: 1 }));
        storedBytes += Math.min(coded[i].length, pieceAt(i).length);
      }
      return storedBytes;
    },
    decode() {
      coded.forEach((piece, i) => {
        const out = decoded.subarray(i * pieceBytes, (i + 1) * pieceBytes);
        inflateSync(piece, { out });
      });
    },
    isRight: () => Buffer.compare(decoded, source) === 0,
  };
}
