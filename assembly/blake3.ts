// BLAKE3-256 (J. O'Connor, J.-P. Aumasson, S. Neves, Z. Wilcox-O'Hearn, 2020): the digest by which
// hosts name pages to each other. The four chunks of a page are compressed in four lanes, then the
// parents of four pages, so that no lane is idle.
import { CHAIN_BYTES, compress, MESSAGE_BYTES, STATE_BYTES } from "./blake3rounds";
import { BLOCK_BYTES, DIGEST_BYTES, PAGE_BYTES } from "./layout";

// @ts-ignore: decorator
@inline const CHUNK_START: u32 = 1;
// @ts-ignore: decorator
@inline const CHUNK_END: u32 = 2;
// @ts-ignore: decorator
@inline const PARENT: u32 = 4;
// @ts-ignore: decorator
@inline const ROOT: u32 = 8;
// @ts-ignore: decorator
@inline const KEYED_HASH: u32 = 16;

// @ts-ignore: decorator
@inline const CHUNK_BYTES: u32 = 1024;
/** Pages whose parents are compressed together. */
// @ts-ignore: decorator
@inline const GROUP_PAGES: u32 = 4;

// Scratch. A word is one in each of four lanes, 16 bytes.
//      0  16 words      the message
//    256  16 words      the state
//    512  8 words       the key in all lanes
//    640  4 × 8 words   the chaining values of the chunks of each page of a group
//   1152  64 bytes      a block that is not whole
//   1216  23 × 64 bytes for each level of a tree the chaining values of two children
// @ts-ignore: decorator
@inline const STATE: usize = MESSAGE_BYTES;
// @ts-ignore: decorator
@inline const KEY: usize = STATE + STATE_BYTES;
// @ts-ignore: decorator
@inline const GROUP: usize = KEY + CHAIN_BYTES;
// @ts-ignore: decorator
@inline const LAST_BLOCK: usize = GROUP + <usize>GROUP_PAGES * CHAIN_BYTES;
// @ts-ignore: decorator
@inline const TREE: usize = LAST_BLOCK + BLOCK_BYTES;

/** Keyed BLAKE3-256 of the listed pages (u32 each, counted from `pagesPtr`), in their order. */
export function digestPages(
  pagesPtr: usize,
  listPtr: usize,
  count: u32,
  keyPtr: usize,
  scratchPtr: usize,
  outPtr: usize,
): void {
  spreadKey(scratchPtr, keyPtr);
  while (count != 0) {
    const pages = min(count, GROUP_PAGES);
    let chain = scratchPtr + GROUP;
    for (let i: u32 = 0; i < pages; i++) {
      digestChunks(pagesPtr + <usize>load<u32>(listPtr) * PAGE_BYTES, scratchPtr, chain);
      listPtr += 4;
      chain += CHAIN_BYTES;
    }
    digestParents(scratchPtr, pages, outPtr);
    outPtr += pages * DIGEST_BYTES;
    count -= pages;
  }
}

/** The four chunks of a page, a lane each. */
function digestChunks(page: usize, scratch: usize, chain: usize): void {
  const state = scratch + STATE;
  copyChain(state, scratch + KEY);
  const end = page + CHUNK_BYTES;
  let flags = KEYED_HASH | CHUNK_START;
  for (let block = page; block < end; block += BLOCK_BYTES) {
    turnSquare(block, CHUNK_BYTES, scratch, 16);
    turnSquare(block + 16, CHUNK_BYTES, scratch + 64, 16);
    turnSquare(block + 32, CHUNK_BYTES, scratch + 128, 16);
    turnSquare(block + 48, CHUNK_BYTES, scratch + 192, 16);
    if (block + BLOCK_BYTES == end) flags |= CHUNK_END;
    compress(scratch, state, i32x4(0, 1, 2, 3), BLOCK_BYTES, flags);
    flags = KEYED_HASH;
  }
  copyChain(chain, state);
}

/**
 * The three parents of each page of a group, a lane each. Lanes of pages that are not there hold
 * whatever was there; nobody looks at them.
 */
function digestParents(scratch: usize, pages: u32, out: usize): void {
  const state = scratch + STATE;
  const key = scratch + KEY;
  const group = scratch + GROUP;
  // From a lane for each chunk to a lane for each page: the chaining values of two chunks then lie
  // as the message of their parent.
  for (let word: usize = 0; word < CHAIN_BYTES; word += 16) {
    turnSquare(group + word, CHAIN_BYTES, group + word, CHAIN_BYTES);
  }
  const zeros = i32x4.splat(0);
  copyChain(state, key);
  compress(group, state, zeros, BLOCK_BYTES, KEYED_HASH | PARENT);
  copyChain(group, state);
  copyChain(state, key);
  compress(group + MESSAGE_BYTES, state, zeros, BLOCK_BYTES, KEYED_HASH | PARENT);
  copyChain(group + CHAIN_BYTES, state);
  copyChain(state, key);
  compress(group, state, zeros, BLOCK_BYTES, KEYED_HASH | PARENT | ROOT);
  turnSquare(state, 16, state, 16);
  turnSquare(state + 64, 16, state + 64, 16);
  for (let page: usize = 0; page < <usize>pages; page++) {
    const digest = state + (page << 4);
    v128.store(out, v128.load(digest));
    v128.store(out, v128.load(digest, 64), 16);
    out += DIGEST_BYTES;
  }
}

/** BLAKE3-256 of `length` bytes; keyed unless `keyPtr` is 0. One lane: for what is small. */
export function blake3(
  ptr: usize,
  length: u32,
  keyPtr: usize,
  scratchPtr: usize,
  outPtr: usize,
): void {
  if (keyPtr == 0) spreadInitial(scratchPtr + KEY);
  else spreadKey(scratchPtr, keyPtr);
  const flags = keyPtr == 0 ? 0 : KEYED_HASH;
  digestTree(ptr, length, 0, flags, ROOT, scratchPtr, scratchPtr + TREE, outPtr);
}

/** A chunk, or two subtrees and their parent; `root` is its flag at the root, 0 below. */
function digestTree(
  ptr: usize,
  length: u32,
  chunk: u32,
  flags: u32,
  root: u32,
  scratch: usize,
  tree: usize,
  out: usize,
): void {
  if (length <= CHUNK_BYTES) return digestChunk(ptr, length, chunk, flags, root, scratch, out);
  // The left subtree is the largest whole one that leaves something for the right.
  const left: u32 = 1 << (31 - clz(length - 1));
  const middle = ptr + <usize>left;
  const next = tree + BLOCK_BYTES;
  digestTree(ptr, left, chunk, flags, 0, scratch, next, tree);
  const rightChunk = chunk + left / CHUNK_BYTES;
  const rightOut = tree + DIGEST_BYTES;
  digestTree(middle, length - left, rightChunk, flags, 0, scratch, next, rightOut);
  copyChain(scratch + STATE, scratch + KEY);
  compressLane(tree, BLOCK_BYTES, 0, flags | PARENT | root, scratch);
  storeLane(scratch, out);
}

function digestChunk(
  ptr: usize,
  length: u32,
  chunk: u32,
  flags: u32,
  root: u32,
  scratch: usize,
  out: usize,
): void {
  copyChain(scratch + STATE, scratch + KEY);
  let start = CHUNK_START;
  for (; length > BLOCK_BYTES; length -= BLOCK_BYTES) {
    compressLane(ptr, BLOCK_BYTES, chunk, flags | start, scratch);
    ptr += BLOCK_BYTES;
    start = 0;
  }
  const last = scratch + LAST_BLOCK;
  memory.fill(last, 0, BLOCK_BYTES);
  memory.copy(last, ptr, length);
  compressLane(last, length, chunk, flags | start | CHUNK_END | root, scratch);
  storeLane(scratch, out);
}

/** Compresses one block; the other lanes do the same. */
function compressLane(
  block: usize,
  blockBytes: u32,
  chunk: u32,
  flags: u32,
  scratch: usize,
): void {
  spreadWords(scratch, block, BLOCK_BYTES);
  compress(scratch, scratch + STATE, i32x4.splat(chunk), blockBytes, flags);
}

function storeLane(scratch: usize, out: usize): void {
  for (let i: usize = 0; i < DIGEST_BYTES; i += 4) {
    store<u32>(out + i, load<u32>(scratch + STATE + (i << 2)));
  }
}

/** Puts the key into all lanes. */
function spreadKey(scratch: usize, key: usize): void {
  spreadWords(scratch + KEY, key, DIGEST_BYTES);
}

/** Puts into all lanes what stands for a key where there is none: the constants of SHA-256. */
function spreadInitial(chain: usize): void {
  v128.store(chain, i32x4.splat(0x6a09e667));
  v128.store(chain, i32x4.splat(0xbb67ae85), 16);
  v128.store(chain, i32x4.splat(0x3c6ef372), 32);
  v128.store(chain, i32x4.splat(0xa54ff53a), 48);
  v128.store(chain, i32x4.splat(0x510e527f), 64);
  v128.store(chain, i32x4.splat(0x9b05688c), 80);
  v128.store(chain, i32x4.splat(0x1f83d9ab), 96);
  v128.store(chain, i32x4.splat(0x5be0cd19), 112);
}

/** Each of the u32 in `length` bytes into all lanes. */
// @ts-ignore: decorator
@inline function spreadWords(to: usize, from: usize, length: u32): void {
  for (let i: usize = 0; i < length; i += 4) {
    v128.store(to + (i << 2), v128.load32_splat(from + i));
  }
}

// @ts-ignore: decorator
@inline function copyChain(to: usize, from: usize): void {
  memory.copy(to, from, CHAIN_BYTES);
}

/** Turns four rows of four u32 into columns; may be in place. */
// @ts-ignore: decorator
@inline function turnSquare(from: usize, stride: usize, to: usize, toStride: usize): void {
  const a = v128.load(from);
  const b = v128.load(from + stride);
  const c = v128.load(from + 2 * stride);
  const d = v128.load(from + 3 * stride);
  const abLow = v128.shuffle<u32>(a, b, 0, 4, 1, 5);
  const abHigh = v128.shuffle<u32>(a, b, 2, 6, 3, 7);
  const cdLow = v128.shuffle<u32>(c, d, 0, 4, 1, 5);
  const cdHigh = v128.shuffle<u32>(c, d, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<u64>(abLow, cdLow, 0, 2));
  v128.store(to + toStride, v128.shuffle<u64>(abLow, cdLow, 1, 3));
  v128.store(to + 2 * toStride, v128.shuffle<u64>(abHigh, cdHigh, 0, 2));
  v128.store(to + 3 * toStride, v128.shuffle<u64>(abHigh, cdHigh, 1, 3));
}
