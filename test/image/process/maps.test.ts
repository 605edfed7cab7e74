// Lines of /proc/PID/maps and smaps, and which mappings a capture takes or leaves.
import { describe, expect, test } from "vitest";
import {
  exclusionOf,
  isReservation,
  type Mapping,
  parseMaps,
  startsAsZeros,
} from "../../../src/image/process/maps.ts";

const SMAPS = `55d0-66d0 r-xp 00001000 fe:00 338944            /usr/lib/with space.so (deleted)
Size:                  4 kB
Rss:                   8 kB
Swap:                 12 kB
SwapPss:              99 kB
SomethingNew:          1 kB
THPeligible:           0
VmFlags: rd ex mr mw me de 
7ffd7afa0000-7ffd7afa3000 rw-s 00000000 00:05 77 /dev/shm/a\\012b
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
Rss:                   0 kB
Swap:                  0 kB
`;

function mapping(line: string, changes: Partial<Mapping> = {}): Mapping {
  return { ...parseMaps(line)[0], ...changes };
}

describe("maps: lines", () => {
  test("of maps and smaps alike", () => {
    expect(parseMaps(SMAPS)).toEqual([
      {
        start: 0x55d0n,
        end: 0x66d0n,
        permissions: "r-xp",
        fileOffset: 0x1000n,
        inode: 338944n,
        name: "/usr/lib/with space.so (deleted)",
        residentBytes: 20 * 1024,
        flags: ["rd", "ex", "mr", "mw", "me", "de"],
      },
      {
        start: 0x7ffd7afa0000n,
        end: 0x7ffd7afa3000n,
        permissions: "rw-s",
        fileOffset: 0n,
        inode: 77n,
        name: "/dev/shm/a\nb",
        flags: [],
      },
      {
        start: 0xffffffffff600000n,
        end: 0xffffffffff601000n,
        permissions: "--xp",
        fileOffset: 0n,
        inode: 0n,
        name: "[vsyscall]",
        residentBytes: 0,
        flags: [],
      },
    ]);
  });

  test("none in an empty text", () => {
    expect(parseMaps("")).toEqual([]);
  });

  test("that make no sense are refused", () => {
    expect(() => parseMaps("something else")).toThrow("not understood: something else");
  });
});

describe("maps: what belongs into a capture", () => {
  const anonymous = "1000-2000 rw-p 0 00:00 0 ";
  test.each([
    [`${anonymous}[vvar]`, [], "kernel"],
    [`${anonymous}[vvar_vclock]`, [], "kernel"],
    [`${anonymous}[vsyscall]`, [], "kernel"],
    [anonymous, ["io"], "device"],
    [anonymous, ["pf"], "device"],
    [anonymous, ["dd"], "MADV_DONTDUMP"],
  ])("%s %j is left out", (line, flags, why) => {
    expect(exclusionOf(mapping(line, { flags }))).toContain(why);
  });

  test.each([anonymous, `${anonymous}[vdso]`, `${anonymous}[heap]`])("%s is taken", (line) => {
    expect(exclusionOf(mapping(line, { flags: ["rd", "wr"] }))).toBeUndefined();
  });

  test("address space that is only reserved has no content", () => {
    const line = "1000-2000 ---p 0 00:00 0";
    expect(isReservation(mapping(line))).toBe(true);
    expect(isReservation(mapping(line, { residentBytes: 0 }))).toBe(true);
    expect(isReservation(mapping(line, { residentBytes: 4096 }))).toBe(false);
    expect(isReservation(mapping(anonymous, { residentBytes: 0 }))).toBe(false);
  });

  test("only memory of its own starts as zeros: not files, not the vdso, not userfaultfd", () => {
    expect(startsAsZeros(mapping(anonymous))).toBe(true);
    expect(startsAsZeros(mapping(`${anonymous}[heap]`))).toBe(true);
    expect(startsAsZeros(mapping(`${anonymous}[stack]`))).toBe(true);
    expect(startsAsZeros(mapping(`${anonymous}[anon:arena]`))).toBe(true);
    expect(startsAsZeros(mapping(`${anonymous}[vdso]`))).toBe(false);
    expect(startsAsZeros(mapping(anonymous, { flags: ["um"] }))).toBe(false);
    expect(startsAsZeros(mapping("1000-2000 rw-p 0 fe:00 7 /a"))).toBe(false);
    expect(startsAsZeros(mapping("1000-2000 rw-s 0 00:01 0"))).toBe(false);
  });
});
