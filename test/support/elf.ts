// Builds ELF64 core files by hand, well-formed or not: each field is what the test says. It shares
// no code with the reader under test.

interface ProgramHeader {
  type?: number;
  offset: bigint | number;
  address?: bigint | number;
  physicalAddress?: bigint | number;
  fileBytes: bigint | number;
}

export interface CoreShape {
  byteLength: number;
  headers: ProgramHeader[];
  /** What the ELF header says instead of the true count. */
  claimedCount?: number;
  tableOffset?: bigint | number;
  sectionOffset?: bigint | number;
  /** sh_info of section header 0, written at `sectionOffset`. */
  sectionCount?: number;
}

const PT_LOAD = 1;
const HEADERS_AT = 64;

/** A file of `byteLength` bytes; what lies beyond its end is cut off. */
export function buildCore(shape: CoreShape): Uint8Array {
  const sectionEnd = shape.sectionCount === undefined ? 0 : Number(shape.sectionOffset) + 64;
  const tableEnd = HEADERS_AT + shape.headers.length * 56;
  const room = Math.max(shape.byteLength, tableEnd, sectionEnd);
  const view = new DataView(new ArrayBuffer(room));
  const bytes = new Uint8Array(view.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 4, true);
  view.setUint16(18, 62, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(32, BigInt(shape.tableOffset ?? HEADERS_AT), true);
  view.setBigUint64(40, BigInt(shape.sectionOffset ?? 0), true);
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, shape.claimedCount ?? shape.headers.length, true);
  shape.headers.forEach((header, i) => {
    const at = HEADERS_AT + i * 56;
    view.setUint32(at, header.type ?? PT_LOAD, true);
    view.setBigUint64(at + 8, BigInt(header.offset), true);
    view.setBigUint64(at + 16, BigInt(header.address ?? 0), true);
    view.setBigUint64(at + 24, BigInt(header.physicalAddress ?? 0), true);
    view.setBigUint64(at + 32, BigInt(header.fileBytes), true);
    view.setBigUint64(at + 40, BigInt(header.fileBytes), true);
  });
  if (shape.sectionCount !== undefined) {
    view.setUint32(Number(shape.sectionOffset) + 44, shape.sectionCount, true);
  }
  return bytes.slice(0, shape.byteLength);
}
