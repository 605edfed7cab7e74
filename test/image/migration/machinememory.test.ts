// Where QEMU's boards put their RAM, against what `info mtree` of QEMU says of them.
import { describe, expect, it } from "vitest";
import {
  addressOf,
  type PlacedBlock,
  placeBlocks,
} from "../../../src/image/migration/machinememory.ts";

const GIB = 2 ** 30;

/** The addresses of bytes of a block; undefined if it is no main memory. */
function addresses(machine: string, byteLength: number, offsets: number[], name = "pc.ram") {
  const blocks = [
    { name: "0000:00:02.0/vga.vram", byteLength: 16 << 20 },
    { name, byteLength },
    { name: "pc.bios", byteLength: 256 << 10 },
    { name: "/rom@etc/acpi/tables", byteLength: 128 << 10 },
  ];
  const placed = placeBlocks(machine, blocks).get(name) as PlacedBlock;
  if (placed.block !== undefined) return undefined;
  return offsets.map((offset) => addressOf(placed, offset));
}

describe("the memory of machines", () => {
  it.each([
    ["pc-q35-7.2", 2 * GIB, [0, 2 * GIB - 1], [0, 2 * GIB - 1]],
    // What fits below the gap of the board is in one piece, and what does not is cut lower.
    ["pc-q35-7.2", 2.5 * GIB, [2.25 * GIB], [2.25 * GIB]],
    ["pc-q35-7.2", 2.75 * GIB, [2 * GIB - 1, 2 * GIB], [2 * GIB - 1, 4 * GIB]],
    ["pc-q35-rhel9.2.0", 8 * GIB, [7 * GIB], [9 * GIB]],
    ["pc-i440fx-10.0", 3.25 * GIB, [3.125 * GIB], [3.125 * GIB]],
    ["pc-i440fx-10.0", 3.5 * GIB, [3 * GIB - 1, 3 * GIB], [3 * GIB - 1, 4 * GIB]],
    ["microvm", 4 * GIB, [3 * GIB], [4 * GIB]],
    ["microvm", 3 * GIB, [3 * GIB - 1], [3 * GIB - 1]],
    ["virt-9.0", 4 * GIB, [0, 3 * GIB], [GIB, 4 * GIB]],
    ["s390-ccw-virtio-8.0", 8 * GIB, [7 * GIB], [7 * GIB]],
    ["", 8 * GIB, [7 * GIB], [7 * GIB]],
  ])("%s with %d bytes", (machine, byteLength, offsets, expected) => {
    expect(addresses(machine, byteLength, offsets)).toEqual(expected);
  });

  it("is the backend of the machine, whatever that is called", () => {
    expect(addresses("pc-q35-7.2", GIB, [5], "mem")).toEqual([5]);
    expect(addresses("pc-q35-7.2", GIB, [5], "/objects/mem")).toEqual([5]);
    expect(addresses("virt-9.0", GIB, [5], "mach-virt.ram")).toEqual([GIB + 5]);
    // The memory of a device is not, however large.
    expect(addresses("pc-q35-7.2", GIB, [5], "0000:00:03.0/big.vram")).toBeUndefined();
  });

  it("is that of NUMA nodes one behind another, in the order of their numbers", () => {
    const nodes = [10, 1, 0].map((node) => ({ name: `ram-node${node}`, byteLength: 1.5 * GIB }));
    const placed = placeBlocks("pc-q35-7.2", nodes);
    const at = (node: number, offset: number) => {
      return addressOf(placed.get(`ram-node${node}`) as PlacedBlock, offset);
    };
    expect([at(0, 0), at(1, 0), at(10, 0)]).toEqual([0, 1.5 * GIB, 5 * GIB]);
    // The second node is cut where the memory is.
    expect([at(1, GIB / 2 - 1), at(1, GIB / 2)]).toEqual([2 * GIB - 1, 4 * GIB]);
  });

  it("leaves other blocks in address spaces of their own", () => {
    const blocks = [
      { name: "pc.ram", byteLength: GIB },
      { name: "pc.bios", byteLength: 4096 },
    ];
    const bios = placeBlocks("pc-q35-7.2", blocks).get("pc.bios");
    expect(bios).toMatchObject({ block: "pc.bios", address: 0, byteLength: 4096 });
  });
});
