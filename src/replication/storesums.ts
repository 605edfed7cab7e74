// The checksum of a memory that changes a little at a time (docs/format.md §3): the fingerprints of
// all frames and the tree over them, of which only the nodes above changed frames are made anew.
import { PAGE_BYTES } from "../core/page.ts";
import { FINGERPRINT_BYTES, type Kernels } from "../kernels/abi.ts";
import {
  compileKernels,
  createMemory,
  instantiateKernels,
  type KernelModule,
} from "../kernels/load.ts";

/** The first 64 KiB belong to the kernel module. */
const MODULE_BYTES = 65536;
/** Pages that are fingerprinted in one call. */
const CALL_PAGES = 256;
/** Children of a node. */
const FANOUT = PAGE_BYTES / FINGERPRINT_BYTES;

/** Compiled once per file: a directory is opened more often than kernels change. */
const modules = new Map<string, KernelModule>();

function compiled(wasm: Uint8Array | URL | undefined): KernelModule {
  if (wasm instanceof Uint8Array) return compileKernels(wasm);
  const module = modules.get(String(wasm)) ?? compileKernels(wasm);
  modules.set(String(wasm), module);
  return module;
}

/** Fingerprints pages that lie outside of linear memory. */
export class PageHasher {
  private readonly kernels: Kernels;
  private readonly bytes: Uint8Array;
  private readonly resultPtr = MODULE_BYTES + CALL_PAGES * PAGE_BYTES;

  constructor(wasm?: Uint8Array | URL) {
    const memory = createMemory(this.resultPtr + CALL_PAGES * FINGERPRINT_BYTES);
    this.kernels = instantiateKernels(compiled(wasm), memory);
    this.bytes = new Uint8Array(memory.buffer);
  }

  /** 16 bytes for each page, of their own. */
  fingerprints(pages: Uint8Array): Uint8Array<ArrayBuffer> {
    const count = pages.length / PAGE_BYTES;
    const found = new Uint8Array(count * FINGERPRINT_BYTES);
    for (let page = 0; page < count; page += CALL_PAGES) {
      const n = Math.min(CALL_PAGES, count - page);
      this.bytes.set(pages.subarray(page * PAGE_BYTES, (page + n) * PAGE_BYTES), MODULE_BYTES);
      this.kernels.fingerprintPages(MODULE_BYTES, n, this.resultPtr);
      const results = this.bytes.subarray(this.resultPtr, this.resultPtr + n * FINGERPRINT_BYTES);
      found.set(results, page * FINGERPRINT_BYTES);
    }
    return found;
  }
}

/** Fingerprints of some frames, each once. */
export class FrameSums {
  count = 0;
  frames = new Uint32Array(1024);
  sums = new Uint8Array(1024 * FINGERPRINT_BYTES);

  add(frame: number, sum: Uint8Array): void {
    if (this.count === this.frames.length) {
      const frames = new Uint32Array(2 * this.count);
      const sums = new Uint8Array(2 * this.count * FINGERPRINT_BYTES);
      frames.set(this.frames);
      sums.set(this.sums);
      this.frames = frames;
      this.sums = sums;
    }
    this.frames[this.count] = frame;
    this.sums.set(sum, this.count * FINGERPRINT_BYTES);
    this.count++;
  }
}

export class SumTree {
  readonly frameCount: number;
  /** The fingerprints of all frames, filled up with zeros to whole nodes. */
  readonly leaves: Uint8Array<ArrayBuffer>;
  private readonly hasher: PageHasher;
  /** From the leaves up to the level that is one value. */
  private readonly levels: Uint8Array<ArrayBuffer>[] = [];
  private readonly counts: number[] = [];
  /** Nodes over the leaves that have to be made anew. */
  private readonly stale = new Set<number>();

  /** All pages are zero. */
  constructor(hasher: PageHasher, frameCount: number) {
    this.hasher = hasher;
    this.frameCount = frameCount;
    for (let count = frameCount; ; count = Math.ceil(count / FANOUT)) {
      this.counts.push(count);
      this.levels.push(new Uint8Array(Math.ceil(count / FANOUT) * PAGE_BYTES));
      if (count <= 1) break;
    }
    this.leaves = this.levels[0];
    const zero = hasher.fingerprints(new Uint8Array(PAGE_BYTES));
    for (let frame = 0; frame < frameCount; frame++) this.set(frame, zero);
  }

  /** A view. */
  at(frame: number): Uint8Array {
    return this.leaves.subarray(frame * FINGERPRINT_BYTES, (frame + 1) * FINGERPRINT_BYTES);
  }

  has(frame: number, sums: Uint8Array, index: number): boolean {
    const from = frame * FINGERPRINT_BYTES;
    const other = index * FINGERPRINT_BYTES;
    for (let i = 0; i < FINGERPRINT_BYTES; i++) {
      if (this.leaves[from + i] !== sums[other + i]) return false;
    }
    return true;
  }

  /** Sets the fingerprints of frames one after another. */
  set(frame: number, sums: Uint8Array): void {
    this.leaves.set(sums, frame * FINGERPRINT_BYTES);
    const last = Math.floor((frame + sums.length / FINGERPRINT_BYTES - 1) / FANOUT);
    for (let node = Math.floor(frame / FANOUT); node <= last; node++) this.stale.add(node);
  }

  /** Exchanges fingerprints with those of `others`; a second time undoes the first. */
  exchange(others: FrameSums): void {
    const held = new Uint8Array(FINGERPRINT_BYTES);
    for (let i = 0; i < others.count; i++) {
      const theirs = others.sums.subarray(i * FINGERPRINT_BYTES, (i + 1) * FINGERPRINT_BYTES);
      held.set(this.at(others.frames[i]));
      this.set(others.frames[i], theirs);
      theirs.set(held);
    }
  }

  /** The checksum of the memory as an image: 16 bytes of their own. */
  checksum(): Uint8Array<ArrayBuffer> {
    let stale = [...this.stale];
    this.stale.clear();
    for (let height = 0; this.counts[height] > 1; height++) {
      const above = new Set<number>();
      for (const node of stale) {
        const children = this.levels[height].subarray(node * PAGE_BYTES, (node + 1) * PAGE_BYTES);
        const sum = this.hasher.fingerprints(children);
        this.levels[height + 1].set(sum, node * FINGERPRINT_BYTES);
        above.add(Math.floor(node / FANOUT));
      }
      stale = [...above];
    }
    const last = new Uint8Array(PAGE_BYTES);
    last.set(this.levels[this.levels.length - 1].subarray(0, FINGERPRINT_BYTES));
    const view = new DataView(last.buffer);
    view.setBigUint64(FINGERPRINT_BYTES, BigInt(this.frameCount) * BigInt(PAGE_BYTES), true);
    view.setBigUint64(FINGERPRINT_BYTES + 8, BigInt(this.frameCount), true);
    return this.hasher.fingerprints(last);
  }
}
