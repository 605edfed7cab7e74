// Collects the memory of an image whose pages come one after another, in any order and some of them
// several times: into a file in which each MiB of the address space has a place of its own as soon
// as something of it came. Afterwards it is a MemoryView. The last content of a page counts.
import { read, write } from "node:fs";
import { promisify } from "node:util";
import { PagefoldError, reasonOf } from "../../core/errors.ts";
import { PAGE_BYTES } from "../../core/page.ts";
import type { MemoryRange, ReadAt } from "../layout.ts";
import type { Part } from "../woven.ts";
import type { MemoryView } from "./memory.ts";

const readFd = promisify(read);
const writeFd = promisify(write);
const CHUNK_PAGES = 256;
const CHUNK_BYTES = CHUNK_PAGES * PAGE_BYTES;
const CHUNK_WORDS = CHUNK_PAGES / 32;
/** What is kept of a chunk takes some 100 bytes: of memory in one piece, these are 4 TiB. */
const MAX_CHUNKS = 1 << 22;
const ZERO_CHUNK = new Uint8Array(CHUNK_BYTES);

/** Where pages go, and what it is called in messages. */
export interface SpoolFile {
  readonly fd: number;
  readonly path: string;
}

/**
 * Takes all parts and gives the memory that they hold. Pages of address spaces that have a name,
 * which are the memory of devices, are left out; so are pages without an address.
 */
export async function spoolMemory(
  parts: AsyncIterable<Part>,
  file: SpoolFile,
  { name, signal }: { name: string; signal?: AbortSignal | undefined },
): Promise<MemoryView> {
  const spool = new MemorySpool(file, name);
  for await (const part of parts) {
    signal?.throwIfAborted();
    if (part.kind === "literal" && part.hides !== undefined) {
      throw new PagefoldError("FORMAT", `${name}: holds ${part.hides}, whose memory is not read`);
    }
    if (part.kind === "literal" || part.address === undefined || part.block !== undefined) continue;
    if (part.kind === "pages") await spool.put(part.address, part.pages);
    else await spool.zero(part.address, part.pageCount);
  }
  return spool.view();
}

class MemorySpool {
  private readonly file: SpoolFile;
  private readonly name: string;
  /** By number of the MiB in the address space. */
  private readonly chunks = new Map<number, number>();
  /** By number of the chunk: a bit for each page that came. */
  private present = new Uint32Array(1024 * CHUNK_WORDS);

  constructor(file: SpoolFile, name: string) {
    this.file = file;
    this.name = name;
  }

  async put(address: number, pages: Uint8Array): Promise<void> {
    this.check(address, pages.length);
    for (let done = 0; done < pages.length; ) {
      const { chunk, inside, byteLength } = this.chunkAt(address + done, pages.length - done);
      this.mark(chunk, inside, byteLength);
      await this.write(chunk * CHUNK_BYTES + inside, pages.subarray(done, done + byteLength));
      done += byteLength;
    }
  }

  async zero(address: number, pageCount: number): Promise<void> {
    this.check(address, pageCount * PAGE_BYTES);
    const end = address + pageCount * PAGE_BYTES;
    for (let at = address; at < end; ) {
      const { chunk, inside, byteLength } = this.chunkAt(at, end - at);
      // What has no bytes in the file reads as zeros.
      if (this.mark(chunk, inside, byteLength)) {
        await this.write(chunk * CHUNK_BYTES + inside, ZERO_CHUNK.subarray(0, byteLength));
      }
      at += byteLength;
    }
  }

  view(): MemoryView {
    const read: ReadAt = async (byteOffset, into) => {
      let there = 0;
      while (there < into.length) {
        const left = into.length - there;
        const { bytesRead } = await readFd(this.file.fd, into, there, left, byteOffset + there);
        // Zeros at the end were never written.
        if (bytesRead === 0) into.fill(0, there);
        there += bytesRead === 0 ? left : bytesRead;
      }
      return there;
    };
    const chunks = [...this.chunks.keys()].sort((a, b) => a - b);
    return {
      space: "physical",
      machine: undefined,
      notes: new Uint8Array(0),
      ranges: () => this.ranges(chunks),
      read,
    };
  }

  private *ranges(chunks: readonly number[]): Generator<MemoryRange> {
    for (const number of chunks) {
      const chunk = this.chunks.get(number) as number;
      for (let page = 0; page < CHUNK_PAGES; page++) {
        if (!this.has(chunk, page)) continue;
        const first = page;
        while (page < CHUNK_PAGES && this.has(chunk, page)) page++;
        const start = chunk * CHUNK_BYTES + first * PAGE_BYTES;
        const address = BigInt(number * CHUNK_BYTES + first * PAGE_BYTES);
        yield { start, end: chunk * CHUNK_BYTES + page * PAGE_BYTES, address };
      }
    }
  }

  private check(address: number, byteLength: number): void {
    if (byteLength > MAX_CHUNKS * CHUNK_BYTES) throw this.tooScattered();
    const isInside = address >= 0 && Number.isSafeInteger(address + byteLength);
    if (isInside && address % PAGE_BYTES === 0) return;
    const fault = `has a page at address 0x${address.toString(16)}`;
    throw new PagefoldError("FORMAT", `${this.name}: ${fault}, where no page can be`);
  }

  private tooScattered(): PagefoldError {
    const fault = `its memory is scattered over more than ${MAX_CHUNKS} MiB`;
    return new PagefoldError("LIMIT", `${this.name}: ${fault}`);
  }

  /** The place of the bytes at `address`, as far as they are in the same chunk. */
  private chunkAt(address: number, byteLength: number) {
    const inside = address % CHUNK_BYTES;
    const number = (address - inside) / CHUNK_BYTES;
    let chunk = this.chunks.get(number);
    if (chunk === undefined) {
      chunk = this.chunks.size;
      if (chunk === MAX_CHUNKS) throw this.tooScattered();
      this.chunks.set(number, chunk);
      if ((chunk + 1) * CHUNK_WORDS > this.present.length) {
        const more = new Uint32Array(this.present.length * 2);
        more.set(this.present);
        this.present = more;
      }
    }
    return { chunk, inside, byteLength: Math.min(byteLength, CHUNK_BYTES - inside) };
  }

  private has(chunk: number, page: number): boolean {
    return (this.present[chunk * CHUNK_WORDS + (page >> 5)] & (1 << (page & 31))) !== 0;
  }

  /** Notes that these pages came. True if one of them had come before. */
  private mark(chunk: number, inside: number, byteLength: number): boolean {
    let hadOne = false;
    const end = (inside + byteLength) / PAGE_BYTES;
    for (let page = inside / PAGE_BYTES; page < end; ) {
      const word = chunk * CHUNK_WORDS + (page >> 5);
      const upTo = Math.min(end, (page | 31) + 1);
      const bits = upTo - page === 32 ? -1 : ((1 << (upTo - page)) - 1) << (page & 31);
      hadOne ||= (this.present[word] & bits) !== 0;
      this.present[word] |= bits;
      page = upTo;
    }
    return hadOne;
  }

  private async write(byteOffset: number, bytes: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < bytes.length; ) {
        const left = bytes.length - at;
        at += (await writeFd(this.file.fd, bytes, at, left, byteOffset + at)).bytesWritten;
      }
    } catch (error) {
      const { path } = this.file;
      throw new PagefoldError("OUTPUT", `${path}: ${reasonOf(error)}`, { cause: error });
    }
  }
}
