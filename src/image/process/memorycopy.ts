// Copies mappings of an address space one after another into a file, in pieces. Zeros and what was
// never touched become holes; what cannot be read is listed. It knows neither /proc nor ELF.
import { PAGE_BYTES } from "../../core/page.ts";
import type { CoreLoad } from "../elfcore.ts";
import type { SparseFile } from "../sparsefile.ts";
import { isReservation, type Mapping, mappingBytes, startsAsZeros } from "./maps.ts";
import type { ProcessMemory } from "./processmemory.ts";

/** A range of the address space, and what is the matter with it. */
export interface AddressRange {
  /** Of its first byte. */
  readonly address: bigint;
  /** Of address space. */
  readonly byteLength: number;
  /** Why it is listed, in a few words. */
  readonly reason: string;
}

/** A mapping and its place in the file; `byteLength` is 0 when nothing of it is there. */
export interface CapturedMapping extends CoreLoad {
  /** The file behind it or a name such as [heap]; may be empty. */
  readonly name: string;
}

const PIECE_BYTES = 1 << 20;

export class MemoryCopy {
  readonly mappings: CapturedMapping[] = [];
  /** Neighbours of the same reason are one range. */
  readonly unreadable: AddressRange[] = [];
  /** Where the next mapping begins in the file. */
  fileEnd: number;
  private readonly memory: Pick<ProcessMemory, "read" | "touched">;
  private readonly file: Pick<SparseFile, "write">;
  private readonly buffer = new Uint8Array(PIECE_BYTES);

  constructor(
    memory: Pick<ProcessMemory, "read" | "touched">,
    file: Pick<SparseFile, "write">,
    firstByte: number,
  ) {
    this.memory = memory;
    this.file = file;
    this.fileEnd = firstByte;
  }

  /** Copies one mapping; `onPiece` is told the bytes of address space done, and may throw. */
  async add(mapping: Mapping, onPiece: (byteLength: number) => void): Promise<void> {
    const memoryBytes = mappingBytes(mapping);
    let byteLength = 0;
    if (isReservation(mapping)) onPiece(memoryBytes);
    else {
      for (let at = 0; at < memoryBytes; at += PIECE_BYTES) {
        const pieceBytes = Math.min(PIECE_BYTES, memoryBytes - at);
        byteLength = (await this.copyPiece(mapping, at, pieceBytes)) ?? byteLength;
        onPiece(pieceBytes);
      }
    }
    const { start: address, permissions, name } = mapping;
    const byteOffset = this.fileEnd;
    this.mappings.push({ address, memoryBytes, permissions, name, byteOffset, byteLength });
    // A debugger shows what is missing at the end as inaccessible, which is the truth: a mapping
    // that reaches beyond the end of its file.
    this.fileEnd += byteLength;
  }

  /** Returns the end of what is known, from the start of the mapping; undefined if nothing is. */
  private async copyPiece(
    mapping: Mapping,
    pieceAt: number,
    pieceBytes: number,
  ): Promise<number | undefined> {
    const base = mapping.start + BigInt(pieceAt);
    const all = { start: 0, end: pieceBytes };
    const span = startsAsZeros(mapping) ? await this.memory.touched(base, pieceBytes) : all;
    if (span === undefined) return pieceAt + pieceBytes;
    let knownEnd = span.start === 0 ? undefined : pieceAt + span.start;
    for (let at = span.start; at < span.end; ) {
      const into = this.buffer.subarray(at, span.end);
      const { byteLength, reason } = await this.memory.read(base + BigInt(at), into);
      if (byteLength > 0) {
        await this.file.write(this.fileEnd + pieceAt + at, into.subarray(0, byteLength));
        at += byteLength;
        knownEnd = pieceAt + at;
      }
      if (reason !== undefined) {
        const pageEnd = Math.min((Math.floor(at / PAGE_BYTES) + 1) * PAGE_BYTES, span.end);
        this.addUnreadable(base + BigInt(at), pageEnd - at, reason);
        at = pageEnd;
      }
    }
    return span.end < pieceBytes ? pieceAt + pieceBytes : knownEnd;
  }

  private addUnreadable(address: bigint, byteLength: number, reason: string): void {
    const last = this.unreadable.at(-1);
    if (last?.reason === reason && last.address + BigInt(last.byteLength) === address) {
      this.unreadable.pop();
      const joined = last.byteLength + byteLength;
      this.unreadable.push({ address: last.address, byteLength: joined, reason });
    } else this.unreadable.push({ address, byteLength, reason });
  }
}
