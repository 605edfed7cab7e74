// What lies between pages: streams that cannot be folded are refused with what to turn off, those
// that QEMU would not write with the place.
import { describe, expect, it } from "vitest";
import { StreamFolder } from "../../src/qemu/folder.ts";
import { foldAll, newTarget, unfoldAll } from "../support/qemufold.ts";
import { makeStream, StreamMaker } from "../support/qemustream.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const random = seededRandom(randomSeed("qemu/sections"));
const BLOCKS = [
  { name: "pc.ram", pages: 8 },
  { name: "pc.bios", pages: 2 },
];

const head = () => new StreamMaker().magic().configuration("pc-q35-7.2");
const open = () => head().openReturnPath();
const ram = () => open().startRam(BLOCKS);

/** What folding says, given all at once or byte by byte. */
function errorOf(maker: StreamMaker): { code: string; message: string } {
  const { bytes } = maker.made();
  const [whole, single] = [1 << 30, 1].map((pieceBytes) => {
    try {
      foldAll(bytes, 8, () => pieceBytes);
    } catch (error) {
      return error as { code: string; message: string };
    }
    throw new Error("nothing was refused");
  });
  expect(single.code).toBe(whole.code);
  return whole;
}

describe("sections: refuses by name", () => {
  it.each<[string, StreamMaker, string]>([
    ["a stream without return path", head().startRam(BLOCKS), "capability return-path"],
    ["mapped-ram", head().configuration("q35", ["mapped-ram"]), "a part of type 7"],
    [
      "a file of mapped-ram",
      new StreamMaker().magic().configuration("q35", ["x-ignore-shared", "mapped-ram"]),
      "turn off the capability mapped-ram",
    ],
    [
      "a channel of multifd",
      new StreamMaker().be32(0x11223344).be32(1),
      "turn off the capability multifd",
    ],
    [
      "multifd when it lists the memory",
      open()
        .startSection("ram")
        .be64(4096 + 4)
        .name("a")
        .be64(4096)
        .be64(0x200),
      "turn off the capability multifd",
    ],
    ["multifd in a part", ram().part(2).be64(0x200), "turn off the capability multifd"],
    ["compression", ram().part(2).be64(0x100).name("pc.ram"), "turn off the capability compress"],
    ["RDMA", ram().part(2).be64(0x80), "migrates by RDMA"],
    [
      "RDMA when it lists the memory",
      open()
        .startSection("ram")
        .be64(4096 + 4)
        .name("a")
        .be64(4096)
        .be64(0x80),
      "migrates by RDMA",
    ],
    ["COLO", open().command(8), "turn off the capability x-colo"],
    ["dirty bitmaps", open().startSection("dirty-bitmap"), "capability dirty-bitmaps"],
    ["block migration", open().startSection("block"), "turn off the capability block"],
    [
      "a device that sends while the guest runs",
      ram().startSection("0000:00:05.0/vfio", 9, 1),
      "section 0000:00:05.0/vfio comes before or beside the memory",
    ],
    [
      "a device before the memory",
      open().u8(4).be32(1).name("virtio-mem-device-early").be32(0).be32(1),
      "section virtio-mem-device-early comes before or beside the memory",
    ],
    [
      "larger pages",
      head().u8(5).name("configuration/target-page-bits").be32(1).be32(14),
      "its pages have 14 bits",
    ],
    [
      "an unknown subsection",
      head().u8(5).name("configuration/other").be32(1),
      "unknown configuration/other",
    ],
    ["another version of the stream", new StreamMaker().be32(0x5145564d).be32(2), "version 2"],
    ["another version of RAM", open().startSection("ram", 2, 3), "section ram has version 3"],
    [
      "sections without footers",
      ram().part(2).endOfPart().part(2),
      "machine type is older than QEMU 2.4",
    ],
    [
      "more memory than there are frame numbers",
      open()
        .startSection("ram")
        .be64(2 ** 50 + 4)
        .name("a")
        .be64(2 ** 50)
        .be64(0x10),
      "more than 4294967295 pages",
    ],
  ])("%s", (_, maker, message) => {
    const error = errorOf(maker);
    expect(error.message).toContain(message);
    expect(error.message).toMatch(/^web: /);
    expect(error.code).toBe(message.startsWith("a part") ? "DAMAGED" : "FORMAT");
  });
});

describe("sections: says where a stream is not one", () => {
  it.each<[string, StreamMaker, string]>([
    ["another magic", new StreamMaker().be32(0x7f454c46), "does not begin like one of QEMU"],
    ["an unknown part", open().u8(9), "a part of type 9"],
    ["an end before the memory", open().u8(0), "a part of type 0"],
    ["a part of nothing", open().part(2), "part 2 of section 2, which did not start"],
    ["a second list of blocks", ram().startSection("ram"), "a second section ram"],
    ["a foreign footer", ram().part(2).endOfPart().footer(3), "the footer of section 3 behind 2"],
    ["a package of no length", ram().command(7), "a package whose length has 0 bytes"],
    ["RAM without its size", open().startSection("ram").be64(0x10), "RAM without its size"],
    [
      "blocks beyond the sum",
      open()
        .startSection("ram")
        .be64(4096 + 4)
        .name("a")
        .be64(8192),
      "a block of 8192 bytes, 4096 are left",
    ],
    [
      "blocks below the sum",
      open()
        .startSection("ram")
        .be64(8192 + 4)
        .name("a")
        .be64(4096)
        .be64(0x10),
      "4096 bytes of RAM are in no block",
    ],
    [
      "a block behind the sum",
      open()
        .startSection("ram")
        .be64(4096 + 4)
        .name("a")
        .be64(4096)
        .name("b"),
      "RAM of 0 bytes more than its blocks",
    ],
    [
      "half a page",
      open()
        .startSection("ram")
        .be64(4096 + 4)
        .name("a")
        .be64(2048),
      "block a has 2048 bytes",
    ],
    [
      "unknown fields of a block",
      open().startSection("ram").be64(8196).name("a").be64(4096).be64(0).be64(0).be64(0),
      "a block of RAM with unknown fields",
    ],
  ])("%s", (_, maker, message) => {
    const error = errorOf(maker);
    expect(error).toMatchObject({ code: "DAMAGED" });
    expect(error.message).toContain(message);
    expect(error.message).toMatch(/^web: migration stream, near byte \d+: /);
  });

  it("bytes behind the end of post-copy", () => {
    const { bytes } = makeStream(random, { isPostcopy: true });
    const folded = foldAll(bytes, 16, () => 1000);
    expect(() => folded.folder.fold(Uint8Array.of(0), newTarget(1))).toThrow(
      "bytes behind the end",
    );
  });
});

describe("sections: passes", () => {
  it("page sizes and addresses behind blocks, capabilities, page bits and a uuid", () => {
    for (const hasPageSizes of [false, true]) {
      for (const hasAddresses of [false, true]) {
        const maker = new StreamMaker().magic().configuration("virt-7.2", ["x-ignore-shared"]);
        maker.u8(5).name("configuration/target-page-bits").be32(1).be32(12);
        maker.u8(5).name("configuration/uuid").be32(1).raw(random.bytes(16));
        maker.openReturnPath().startRam(BLOCKS, { hasPageSizes, hasAddresses });
        maker.part(2).record("page", 1, 1, random.bytes(4096)).endOfPart().footer();
        const { bytes, blocks, events } = maker.made();
        const folded = foldAll(bytes, 4, () => 11);
        expect(folded.folder.blocks).toMatchObject(blocks);
        expect(folded.folder.frameCount).toBe(10);
        expect(folded.events).toEqual(events);
        expect(folded.batches.flatMap(({ frames }) => frames)).toEqual([9]);
        expect(Buffer.compare(unfoldAll(folded.batches), bytes)).toBe(0);
      }
    }
  });

  it("streams without return path where nobody needs one", () => {
    const { bytes } = makeStream(random, { hasReturnPath: false });
    const folder = new StreamFolder("web", { isReturnPathRequired: false });
    const { batches } = foldAll(
      bytes,
      16,
      () => 3000,
      () => false,
      folder,
    );
    expect(Buffer.compare(unfoldAll(batches), bytes)).toBe(0);
  });

  it("devices right behind parts of the memory, as background-snapshot writes them", () => {
    const maker = ram().part(2).record("zero", 0, 3).endOfPart().footer();
    maker.event("ramEnd").devices(random, 2).u8(0).description().event("end");
    const { bytes, events } = maker.made();
    const folded = foldAll(bytes, 4, () => 100);
    expect(folded.events).toEqual(events);
    expect(Buffer.compare(unfoldAll(folded.batches), bytes)).toBe(0);
  });

  it("tells the phases", () => {
    const folder = new StreamFolder("web");
    const target = newTarget(4);
    const fold = (maker: StreamMaker) => {
      const { bytes } = maker.made();
      for (let at = 0; at < bytes.length; at += folder.fold(bytes.subarray(at), target)) {
        folder.takeEvent();
      }
      folder.takeEvent();
      return folder.phase;
    };
    const part = (maker: StreamMaker) => maker.endOfPart().footer();
    expect(fold(open())).toBe("head");
    expect(fold(new StreamMaker().startRam(BLOCKS))).toBe("ram");
    expect(fold(part(new StreamMaker().part(3)).u8(4))).toBe("device");
    expect(fold(new StreamMaker().raw(random.bytes(20)).footer().u8(0))).toBe("device");
    expect(fold(new StreamMaker().description())).toBe("ended");
    expect(fold(new StreamMaker().u8(1))).toBe("device");
  });
});
