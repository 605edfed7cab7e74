// Writing ranges of memory to files: what follows one another goes out at once, the rest as it
// comes, and a file has at the end what was last given for each of its bytes.
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { GatheredWriter } from "../../src/pool/gatheredwriter.ts";
import { temporaryFolder } from "../support/folder.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const memory = seededRandom(77).bytes(4096);

function openFile(flags = "w+"): { fd: number; content: () => Buffer } {
  const path = join(temporaryFolder(), "a");
  const fd = openSync(path, flags);
  onTestFinished(() => closeSync(fd));
  return { fd, content: () => readFileSync(path) };
}

describe("gatheredwriter", () => {
  it("waits with ranges that follow one another, and writes them at once", () => {
    const { fd, content } = openFile();
    const writer = new GatheredWriter(memory);
    writer.write(1, fd, 100, 50, 7);
    writer.write(2, fd, 150, 30, 57);
    writer.write(3, fd, 180, 1, 87);
    expect(content()).toHaveLength(0);
    expect(writer.owner).toBe(1);
    writer.flush();
    const wanted = Buffer.concat([Buffer.alloc(7), memory.subarray(100, 181)]);
    expect(content().equals(wanted)).toBe(true);
    writer.flush();
    expect(content().equals(wanted)).toBe(true);
  });

  it.each<[string, [ptr: number, byteOffset: number]]>([
    ["another place in memory", [151, 50]],
    ["the same place in memory", [100, 50]],
    ["another place in the file", [150, 51]],
    ["the same place in the file", [150, 0]],
  ])("writes what waits before it goes on with %s", (_, [ptr, byteOffset]) => {
    const { fd, content } = openFile();
    const writer = new GatheredWriter(memory);
    writer.write(1, fd, 100, 50, 0);
    writer.write(2, fd, ptr, 10, byteOffset);
    expect(content().equals(memory.subarray(100, 150))).toBe(true);
    expect(writer.owner).toBe(2);
    writer.flush();
    const end = byteOffset + 10;
    expect(
      content()
        .subarray(byteOffset, end)
        .equals(memory.subarray(ptr, ptr + 10)),
    ).toBe(true);
  });

  it("does not join ranges of two files", () => {
    const [one, two] = [openFile(), openFile()];
    const writer = new GatheredWriter(memory);
    writer.write(1, one.fd, 0, 10, 0);
    writer.write(2, two.fd, 10, 10, 10);
    writer.flush();
    expect(one.content().equals(memory.subarray(0, 10))).toBe(true);
    expect(two.content().subarray(10).equals(memory.subarray(10, 20))).toBe(true);
  });

  it("begins anew after a flush, though the next range follows", () => {
    const { fd, content } = openFile();
    const writer = new GatheredWriter(memory);
    writer.write(1, fd, 0, 10, 0);
    writer.flush();
    writer.write(2, fd, 10, 10, 10);
    expect(writer.owner).toBe(2);
    expect(content()).toHaveLength(10);
    writer.flush();
    expect(content().equals(memory.subarray(0, 20))).toBe(true);
  });

  it("tells who gave the first of the ranges that could not be written", () => {
    const { fd } = openFile();
    const full = openSync("/dev/full", "w");
    onTestFinished(() => closeSync(full));
    const writer = new GatheredWriter(memory);
    writer.write(4, fd, 0, 10, 0);
    writer.write(5, full, 0, 10, 0);
    writer.write(6, full, 10, 10, 10);
    expect(() => writer.flush()).toThrow(expect.objectContaining({ code: "ENOSPC" }));
    expect(writer.owner).toBe(5);
  });

  it("leaves what a plain writer would leave, whatever it is given", () => {
    const range = fc.record({
      file: fc.nat(1),
      ptr: fc.nat(40),
      byteLength: fc.nat(9),
      byteOffset: fc.nat(40),
      isNext: fc.boolean(),
      isFlushed: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    });
    const files = [openFile(), openFile()];
    const wanted = files.map(() => Buffer.alloc(4096));
    const check = (ranges: (typeof range extends fc.Arbitrary<infer T> ? T : never)[]): void => {
      const writer = new GatheredWriter(memory);
      let [file, ptr, byteOffset] = [0, 0, 0];
      for (const [owner, given] of ranges.entries()) {
        if (!given.isNext) ({ file, ptr, byteOffset } = given);
        const { byteLength, isFlushed } = given;
        writer.write(owner, files[file].fd, ptr, byteLength, byteOffset);
        wanted[file].set(memory.subarray(ptr, ptr + byteLength), byteOffset);
        ptr += byteLength;
        byteOffset += byteLength;
        if (isFlushed) writer.flush();
      }
      writer.flush();
      for (const [i, { content }] of files.entries()) {
        const found = content();
        expect(found.equals(wanted[i].subarray(0, found.length))).toBe(true);
        expect(wanted[i].subarray(found.length).every((byte) => byte === 0)).toBe(true);
      }
    };
    fc.assert(fc.property(fc.array(range, { maxLength: 30 }), check), {
      seed: randomSeed("gathered writer"),
    });
  });
});
