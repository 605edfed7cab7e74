// Dumps of one instant of a guest, by the installed QEMU, by one of version 10 and by makedumpfile.
// Packed and unpacked they are the same files, and their pages are those of the raw memory; what
// libkdumpfile reads in them is that memory, too.
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { installTools, kernelPath, writeInitramfs } from "../../scripts/vm/build.ts";
import { Guest } from "../../scripts/vm/guest.ts";
import { INSTALLED_QEMU, majorOf, newQemu, versionOf } from "../../scripts/vm/qemu10.ts";
import type { PackReport } from "../../src/api.ts";
import { makeKdump } from "../support/kdump.ts";
import { PLAIN_ADDRESSES, writeVmcore } from "./vmcore.ts";

const run = promisify(execFile);
const cli = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const oracle = fileURLToPath(new URL("dumpmemory.py", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "pagefold-dumps-"));
const place = (name: string) => join(folder, name);
const MEMORY_MIB = 96;
const MEMORY_BYTES = MEMORY_MIB << 20;
const SHARED = 0.97;
const MAX_BYTES = 256 << 20;
const LONG_MS = 600_000;
const TOOLS = {
  makedumpfile: "makedumpfile",
  python3: "python3",
  "libkdumpfile.so.10": "libkdumpfile10",
};

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function pagefold(...args: string[]) {
  return run(process.execPath, [cli, ...args], { encoding: "buffer", maxBuffer: 1 << 26 });
}

/** Packs the raw memory and then a dump, which share their pages; the dump's part of the report. */
async function packBoth(raw: string, dump: string) {
  const packed = ["-o", place("both.pfa"), "--force", "--json"];
  const { stdout } = await pagefold("pack", place(raw), place(dump), ...packed);
  const { images, warnings } = JSON.parse(stdout.toString()) as PackReport & {
    warnings: string[];
  };
  const { zero, uniform, duplicateAcross } = images[1].counts;
  expect(duplicateAcross).toBeGreaterThan((images[1].frameCount - zero - uniform) * SHARED);
  await pagefold("unpack", place("both.pfa"), dump, "-C", place("out"), "--force");
  await pagefold("unpack", place("both.pfa"), dump, "--as", "raw", "-C", place("out"), "--force");
  return { ...images[1], warnings };
}

async function memoryOf(path: string): Promise<Buffer> {
  const words = [oracle, path, String(MEMORY_BYTES)];
  const { stdout } = await run("python3", words, { encoding: "buffer", maxBuffer: MAX_BYTES });
  return stdout;
}

/** The dump comes back, and the memory that is taken out of it is that of the guest. */
async function expectSame(raw: string, dump: string): Promise<void> {
  const { decompressed, warnings } = await packBoth(raw, dump);
  expect(decompressed).toBeUndefined();
  expect(warnings).toEqual([]);
  await run("cmp", [place(dump), place(`out/${dump}`)]);
  await run("cmp", ["-n", String(MEMORY_BYTES), place(raw), place(`out/${dump}.raw`)]);
}

function expectMemory(found: Buffer, raw: string): void {
  expect(Buffer.compare(found, readFileSync(place(raw)))).toBe(0);
}

describe.each(["installed", "backports"])("dumps of the QEMU that is %s", (which) => {
  let guest: Guest;
  let isNew = false;
  const raw = `${which}.raw`;

  beforeAll(async () => {
    await installTools(TOOLS);
    const kernel = await kernelPath();
    const initramfs = place("initramfs.gz");
    await writeInitramfs(initramfs);
    const qemu = which === "installed" ? INSTALLED_QEMU : (await newQemu()).program;
    isNew = majorOf(await versionOf(qemu)) >= 9;
    const memoryKiB = MEMORY_MIB * 1024;
    const bootWords = PLAIN_ADDRESSES;
    const options = { kernel, initramfs, folder, qemu, memoryKiB, seed: 78, bootWords };
    guest = new Guest({ name: which, ...options });
    await guest.ready();
    await guest.pause();
    await guest.saveRaw(place(raw));
  });

  afterAll(() => guest?.close());

  async function dump(format: string): Promise<string> {
    const name = `${which}-${format}.kdump`;
    const protocol = `file:${place(name)}`;
    await guest.qmp.execute("dump-guest-memory", { paging: false, protocol, format });
    return name;
  }

  it("in every format that it was built with", async () => {
    const { formats } = await guest.qmp.execute<{ formats: string[] }>(
      "query-dump-guest-memory-capability",
    );
    expect(formats).toContain("kdump-zlib");
    const kdumps = formats.filter((format) => format.startsWith("kdump-"));
    // QEMU before 8.2 writes only flattened ones, which this libkdumpfile does not read.
    if (isNew) expect(kdumps).toContain("kdump-raw-zlib");
    for (const format of kdumps.filter((name) => !name.endsWith("lzo"))) {
      const name = await dump(format);
      await expectSame(raw, name);
      if (format === "kdump-raw-zlib") expectMemory(await memoryOf(place(name)), raw);
    }
  });

  // What others write does not depend on the QEMU whose memory it is.
  if (which !== "installed") return;

  it("makedumpfile: what it writes", { timeout: LONG_MS }, async () => {
    writeVmcore(place(raw), place("vmcore"));
    const made = [
      ["all.dump", "-c", "-d", "0", "--num-threads", "2"],
      ["zero.dump", "-c", "-d", "1"],
      ["plain.dump", "-d", "31"],
      ["lzo.dump", "-l", "-d", "31"],
    ];
    for (const [name, ...words] of made) {
      await run("makedumpfile", [...words, place("vmcore"), place(name)]);
    }
    for (const name of ["all.dump", "zero.dump"]) {
      await expectSame(raw, name);
      expectMemory(await memoryOf(place(name)), raw);
    }
    await packBoth(raw, "plain.dump");
    await run("cmp", [place("plain.dump"), place("out/plain.dump")]);
    await run("sh", ["-c", `makedumpfile -F -c -d 1 ${place("vmcore")} > ${place("flat.dump")}`]);
    await expectSame(raw, "flat.dump");
  });

  it("makedumpfile: LZO is refused by its name, unless the bytes are kept", async () => {
    const words = [place("lzo.dump"), "-o", place("lzo.pfa"), "--force"];
    await expect(pagefold("pack", ...words)).rejects.toThrow("compressed with LZO");
    await pagefold("pack", ...words, "--no-decompress");
    await pagefold("unpack", place("lzo.pfa"), "-C", place("out"), "--force");
    await run("cmp", [place("lzo.dump"), place("out/lzo.dump")]);
  });

  it("Zstandard: the same dump comes out, not compressed, and says so", async () => {
    const memory = readFileSync(place(raw));
    const pages = Array.from({ length: memory.length / 4096 }, (_, frame) => {
      const bytes = memory.subarray(frame * 4096, (frame + 1) * 4096);
      return { frame, bytes, kind: bytes.some((byte) => byte !== 0) ? "zstd" : "shared" } as const;
    });
    writeFileSync(place("zstd.dump"), makeKdump({ pages }));
    const { decompressed, warnings } = await packBoth(raw, "zstd.dump");
    expect(decompressed).toBe("kdump-zstd");
    expect(warnings).toHaveLength(1);
    expectMemory(await memoryOf(place("out/zstd.dump")), raw);
    expectMemory(readFileSync(place("out/zstd.dump.raw")).subarray(0, MEMORY_BYTES), raw);
  });
});
