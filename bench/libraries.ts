// What else there is for the same work in JavaScript, on the same pages. The libraries get them in
// private memory, from which they copy faster into their own.
import { hash } from "node:crypto";
import { deflateSync } from "fflate";
import { createBLAKE3, createXXHash3, createXXHash128 } from "hash-wasm";
import xxhash from "xxhash-wasm";
import { PAGE_BYTES } from "../src/core/page.ts";

export interface LibraryBench {
  name: string;
  /** One run over `pages`; returns the bytes it handled. */
  run(pages: Uint8Array): number;
  /** Of compressors: the bytes that one run stored, known after the first one. */
  storedBytes?(): number;
}

/** Slow ones get no more than this of the pages. */
const DEFLATE_BYTES = 4 << 20;

function eachPage(pages: Uint8Array, unitBytes: number, use: (unit: Uint8Array) => void): number {
  const byteLength = pages.length - (pages.length % unitBytes);
  for (let at = 0; at < byteLength; at += unitBytes) use(pages.subarray(at, at + unitBytes));
  return byteLength;
}

function deflateBench(name: string, unitBytes: number): LibraryBench {
  let storedBytes = 0;
  return {
    name,
    run(pages) {
      storedBytes = 0;
      return eachPage(pages.subarray(0, DEFLATE_BYTES), unitBytes, (unit) => {
        storedBytes += Math.min(unitBytes, deflateSync(unit, { level: 1 }).length);
      });
    },
    storedBytes: () => storedBytes,
  };
}

export async function openLibraries(): Promise<LibraryBench[]> {
  const { h64Raw } = await xxhash();
  const hashes = [
    { name: "hash-wasm xxh3-64, each page", hasher: await createXXHash3() },
    { name: "hash-wasm xxh3-128, each page", hasher: await createXXHash128() },
    { name: "hash-wasm blake3, each page", hasher: await createBLAKE3() },
  ];
  return [
    {
      name: "xxhash-wasm xxh64, each page",
      run: (pages) => eachPage(pages, PAGE_BYTES, (page) => void h64Raw(page)),
    },
    ...hashes.map(({ name, hasher }) => ({
      name,
      run: (pages: Uint8Array) =>
        eachPage(pages, PAGE_BYTES, (page) => void hasher.init().update(page).digest("binary")),
    })),
    {
      name: "node:crypto sha256, each page",
      run: (pages) => eachPage(pages, PAGE_BYTES, (page) => void hash("sha256", page, "buffer")),
    },
    deflateBench("fflate level 1, 4 KiB pages", PAGE_BYTES),
    deflateBench("fflate level 1, 64 KiB clusters", 65536),
  ];
}
