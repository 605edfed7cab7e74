// Save images of libvirt, made up: the head stands as it is, the memory behind it is memory.
import { gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { ReadAt } from "../../../src/image/layout.ts";
import {
  decompressedSave,
  isLibvirtSave,
  isSparseSave,
  readSparseMapped,
  readSparseSave,
  saveCompression,
  saveParts,
} from "../../../src/image/migration/libvirtsave.ts";
import { saveHead, saveImage } from "../../support/libvirtsave.ts";
import { mappedRamFile } from "../../support/mappedram.ts";
import { inPieces, joinParts } from "../../support/parts.ts";
import { makeStream } from "../../support/qemustream.ts";
import { randomSeed, seededRandom } from "../../support/random.ts";

const stream = makeStream(seededRandom(4));
const pageRecords = stream.records.filter(({ kind }) => kind === "page").length;

const pieces = (bytes: Uint8Array) => inPieces(bytes, seededRandom(9), 3000);

const readerOf =
  (bytes: Uint8Array): ReadAt =>
  async (byteOffset, into) => {
    const piece = bytes.subarray(byteOffset, byteOffset + into.length);
    into.set(piece);
    return piece.length;
  };

describe("save images of libvirt", () => {
  it.each([
    {},
    { isBigEndian: true },
    { magic: "LibvirtQemudPart" },
    // The first version had no formats; what stands there does not count.
    { version: 1, format: 9 },
  ])("are taken apart behind their head: %o", async (shape) => {
    const image = saveImage(stream.bytes, shape);
    expect([isLibvirtSave(image), isSparseSave(image)]).toEqual([true, false]);
    expect(saveCompression(image)).toBeUndefined();
    const { file, pageCount } = await joinParts(saveParts(pieces(image), { name: "guest.save" }));
    expect(file.equals(image)).toBe(true);
    expect(pageCount).toBe(pageRecords);
  });

  it.each(["xz", "bzip2", "lzop"])("are refused by name when %s compressed them", async (name) => {
    const format = ["raw", "gzip", "bzip2", "xz", "lzop"].indexOf(name);
    const image = saveImage(stream.bytes, { format });
    expect(saveCompression(image)).toBeUndefined();
    const parts = joinParts(saveParts(pieces(image), { name: "guest.save" }));
    await expect(parts).rejects.toMatchObject({
      code: "FORMAT",
      message: expect.stringMatching(`^guest.save: .* compressed with ${name}, .*--no-decompress$`),
    });
  });

  it("are read as if they had not been compressed", async () => {
    for (const isBigEndian of [false, true]) {
      const packed = saveImage(gzipSync(stream.bytes), { format: 1, isBigEndian });
      expect(saveCompression(packed)).toBe("libvirt-gzip");
      async function* decompress(bytes: AsyncIterable<Uint8Array>) {
        const all: Buffer[] = [];
        for await (const piece of bytes) all.push(Buffer.from(piece));
        yield gunzipSync(Buffer.concat(all));
      }
      const all: Buffer[] = [];
      for await (const piece of decompressedSave(pieces(packed), decompress)) {
        all.push(Buffer.from(piece));
      }
      expect(Buffer.concat(all).equals(saveImage(stream.bytes, { isBigEndian }))).toBe(true);
    }
    expect(saveCompression(saveImage(stream.bytes, { format: 5 }))).toBe("libvirt-zstd");
  });

  it("have their memory where mapped-ram puts it when they are sparse", async () => {
    const head = saveHead({ format: 6 });
    const page = new Uint8Array(4096).fill(7);
    const { bytes, offsets } = mappedRamFile([{ name: "pc.ram", pages: [page, undefined, page] }], {
      start: head.length,
    });
    bytes.set(head);
    expect([isLibvirtSave(bytes), isSparseSave(bytes)]).toEqual([false, true]);
    const { segments, regions } = (await readSparseSave(readerOf(bytes), bytes.length)) ?? {};
    expect(regions?.map(({ segmentIndex }) => segments?.[segmentIndex])).toEqual([
      { byteOffset: offsets[0], byteLength: 3 * 4096 },
    ]);
    const read = await readSparseMapped(readerOf(bytes));
    const memory = new Uint8Array(3 * 4096);
    await read(offsets[0], memory);
    expect(memory.subarray(4096, 8192).every((byte) => byte === 0)).toBe(true);
    expect(memory[8192]).toBe(7);
  });

  it("give back every byte, or are refused, when they are mutated", async () => {
    const random = seededRandom(randomSeed("libvirtsave"));
    const rounds = Number(process.env.PAGEFOLD_FUZZ_ROUNDS ?? 300);
    for (let round = 0; round < rounds; round++) {
      const image = saveImage(stream.bytes.subarray(0, 20_000), { xml: "<domain/>" });
      for (let changes = 1 + random.int(3); changes > 0; changes--) {
        image[16 + random.int(160)] = random.int(3) ? random.int(256) : 0;
      }
      const cut = image.subarray(0, random.int(4) ? image.length : random.int(300));
      if (!isLibvirtSave(cut)) continue;
      try {
        const { file } = await joinParts(saveParts(pieces(cut), { name: "guest.save" }));
        expect(file.equals(cut)).toBe(true);
      } catch (error) {
        expect(error).toMatchObject({ code: "FORMAT" });
      }
    }
  });
});
