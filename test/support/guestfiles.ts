// The memory of one made-up guest in all formats that there are generators for, by the names that
// the tests give them.
import { makeKdump } from "./kdump.ts";
import { saveImage } from "./libvirtsave.ts";
import { mappedRamFile } from "./mappedram.ts";
import { coreFile, limeFile } from "./memoryfiles.ts";
import { StreamMaker } from "./qemustream.ts";
import type { SeededRandom } from "./random.ts";

/** What each of them is. */
export const FORMATS: Record<string, string> = {
  "vm.raw": "raw",
  "vm.elf": "elf-core",
  "vm.lime": "lime",
  "vm.kdump": "kdump",
  "vm.stream": "qemu-migration",
  "vm.save": "libvirt-save",
  "vm.mapped": "qemu-mapped-ram",
};

const PAGE_BYTES = 4096;
const ZERO = Buffer.alloc(PAGE_BYTES);
/** One page of so many has another content when a stream sends it for the first time. */
export const RESENT_EVERY = 7;

export const isZero = (page: Uint8Array): boolean => ZERO.equals(page);

export function pagesOf(memory: Uint8Array): Uint8Array[] {
  return Array.from({ length: memory.length / PAGE_BYTES }, (_, frame) =>
    memory.subarray(frame * PAGE_BYTES, (frame + 1) * PAGE_BYTES),
  );
}

/** `memory` is whole pages from address 0 on. */
export function guestFiles(random: SeededRandom, memory: Uint8Array): Record<string, Uint8Array> {
  const pages = pagesOf(memory);
  const range = [{ address: 0n, bytes: memory }];
  return {
    "vm.raw": memory,
    "vm.elf": coreFile(range, "physical"),
    "vm.lime": limeFile(range),
    "vm.kdump": kdump(pages),
    "vm.stream": migrationStream(random, pages),
    "vm.save": saveImage(migrationStream(random, pages)),
    "vm.mapped": mappedRamFile([
      { name: "pc.ram", pages: pages.map((page) => (isZero(page) ? undefined : page)) },
      { name: "vga.vram", pages: [random.bytes(PAGE_BYTES)] },
    ]).bytes,
  };
}

/** Some pages are sent before they have their last content; one more block is that of a device. */
function migrationStream(random: SeededRandom, pages: readonly Uint8Array[]): Uint8Array {
  const maker = new StreamMaker().magic().configuration("pc-q35-9.0");
  const blocks = [
    { name: "pc.ram", pages: pages.length },
    { name: "vga.vram", pages: 3 },
  ];
  maker.startRam(blocks).part(2);
  for (const [frame, page] of pages.entries()) {
    const early = frame % RESENT_EVERY === 0 ? random.bytes(PAGE_BYTES) : page;
    if (isZero(early)) maker.record("zero", 0, frame);
    else maker.record("page", 0, frame, early);
  }
  for (let frame = 0; frame < 3; frame++) maker.record("page", 1, frame, random.bytes(PAGE_BYTES));
  maker.endOfPart().footer().part(3);
  for (let frame = 0; frame < pages.length; frame += RESENT_EVERY) {
    if (isZero(pages[frame])) maker.record("zero", 0, frame);
    else maker.record("page", 0, frame, pages[frame]);
  }
  return maker.endOfPart().footer().devices(random, 4).u8(0).description().made().bytes;
}

function kdump(pages: readonly Uint8Array[]): Uint8Array {
  return makeKdump({
    pages: pages.map((bytes, frame) => ({
      frame,
      bytes,
      kind: isZero(bytes) ? "shared" : (["zlib", "plain", "zlib"] as const)[frame % 3],
    })),
  });
}
