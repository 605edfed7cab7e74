// The core that a crashed kernel would leave, made of the raw memory of a guest without KASLR: what
// makedumpfile asks for to write dumps. The kernel's own note says what it is.
import { readFileSync, writeFileSync } from "node:fs";
import { coreHeadBytes, encodeCoreHead } from "../../src/image/elfcore.ts";

/** For the command line of the kernel, so that its addresses are known. */
export const PLAIN_ADDRESSES = "nokaslr no5lvl";

const X86_64 = 62;
const NT_PRSTATUS = 1;
const PRSTATUS_BYTES = 336;
const DIRECT_MAP = 0xffff_8880_0000_0000n;
const KERNEL_TEXT = 0xffff_ffff_8000_0000n;
const KERNEL_TEXT_BYTES = 32 << 20;
const NOTE_NAME = Buffer.from("VMCOREINFO\0\0OSRELEASE=");

export function writeVmcore(raw: string, path: string): void {
  const memory = readFileSync(raw);
  const info = kernelNote(memory);
  const text = BigInt(`0x${/SYMBOL\(_stext\)=([0-9a-f]+)/.exec(info.toString("latin1"))?.[1]}`);
  const notes = Buffer.concat([
    note("CORE", NT_PRSTATUS, Buffer.alloc(PRSTATUS_BYTES)),
    note("VMCOREINFO", 0, info),
  ]);
  const start = coreHeadBytes(notes.length, 2);
  const load = (address: bigint, physical: number, byteLength: number) => ({
    address,
    physicalAddress: BigInt(physical),
    memoryBytes: byteLength,
    permissions: "rwxp",
    byteOffset: start + physical,
    byteLength,
  });
  const loads = [
    load(text, Number(text - KERNEL_TEXT), KERNEL_TEXT_BYTES),
    load(DIRECT_MAP, 0, memory.length),
  ];
  writeFileSync(path, Buffer.concat([encodeCoreHead(X86_64, notes, loads), memory]));
}

/** What the kernel has written about itself for whoever reads its dump. */
function kernelNote(memory: Buffer): Buffer {
  for (let at = memory.indexOf(NOTE_NAME); at >= 0; at = memory.indexOf(NOTE_NAME, at + 1)) {
    const length = memory.readUInt32LE(at - 8);
    const info = memory.subarray(at + 12, at + 12 + length);
    if (length < 8192 && info.includes("SYMBOL(_stext)")) return info;
  }
  throw new Error("there is no VMCOREINFO in the memory of the guest");
}

function note(name: string, type: number, content: Uint8Array): Buffer {
  const padded = (bytes: Uint8Array) => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
  const named = Buffer.from(`${name}\0`);
  const head = Buffer.alloc(12);
  [named.length, content.length, type].forEach((value, i) => {
    head.writeUInt32LE(value, 4 * i);
  });
  return Buffer.concat([head, padded(named), padded(content)]);
}
