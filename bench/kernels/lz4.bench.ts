// LZ4 over single pages and over clusters of 64 KiB, both ways; blocks that do not pay stay raw,
// as an archive would store them, and cost the decoder nothing.
import { PAGE_BYTES } from "../../src/core/page.ts";
import { type Kernels, LZ4_SCRATCH_BYTES } from "../../src/kernels/abi.ts";
import type { BenchPages, KernelBench } from "./bench.ts";

const CLUSTER_BYTES = 65536;

interface Block {
  ptr: number;
  length: number;
}

/** Compresses all whole units of the pages; `freePtr` is where memory is free again. */
function compressUnits(
  kernels: Kernels,
  pages: BenchPages,
  unitBytes: number,
  scratchPtr: number,
): { blocks: Block[]; freePtr: number } {
  const blocks: Block[] = [];
  let out = scratchPtr + LZ4_SCRATCH_BYTES;
  const end = pages.ptr + pages.count * PAGE_BYTES;
  for (let unit = pages.ptr; unit + unitBytes <= end; unit += unitBytes) {
    const length = kernels.lz4Compress(unit, unitBytes, out, unitBytes - 1, scratchPtr);
    if (length > 0) blocks.push({ ptr: out, length });
    out += length;
  }
  return { blocks, freePtr: out };
}

function compressBench(name: string, unitBytes: number): KernelBench {
  let storedBytes = 0;
  return {
    name,
    prepare(kernels, _bytes, pages, scratchPtr) {
      const units = Math.floor((pages.count * PAGE_BYTES) / unitBytes);
      return () => {
        const { blocks } = compressUnits(kernels, pages, unitBytes, scratchPtr);
        storedBytes = (units - blocks.length) * unitBytes;
        for (const { length } of blocks) storedBytes += length;
        return units * unitBytes;
      };
    },
    storedBytes: () => storedBytes,
  };
}

function decompressBench(name: string, unitBytes: number): KernelBench {
  return {
    name,
    prepare(kernels, _bytes, pages, scratchPtr) {
      const { blocks, freePtr } = compressUnits(kernels, pages, unitBytes, scratchPtr);
      return () => {
        for (const { ptr, length } of blocks) {
          kernels.lz4Decompress(ptr, length, freePtr, unitBytes);
        }
        return blocks.length * unitBytes;
      };
    },
  };
}

export const benches: KernelBench[] = [
  compressBench("lz4Compress, 4 KiB pages", PAGE_BYTES),
  compressBench("lz4Compress, 64 KiB clusters", CLUSTER_BYTES),
  decompressBench("lz4Decompress, 4 KiB pages", PAGE_BYTES),
  decompressBench("lz4Decompress, 64 KiB clusters", CLUSTER_BYTES),
];
