// Opening image files: recognition by content, refusals by kind of file, changes while open.
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { openImageFile } from "../../src/image/open.ts";
import type { ImageFile } from "../../src/image/opened.ts";
import { buildCore } from "../support/elf.ts";
import { temporaryFolder } from "../support/folder.ts";
import { unprivileged } from "../support/processes.ts";

function write(name: string, bytes: Uint8Array | string): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, bytes);
  return path;
}

async function opened(path: string): Promise<ImageFile> {
  const image = await openImageFile(path);
  onTestFinished(() => image.close());
  return image;
}

describe("open: recognises by content", () => {
  test("a raw image of any length", async () => {
    for (const byteLength of [1, 63, 64, 4095, 4096, 4097, 10_000]) {
      const image = await opened(write("an.elf", new Uint8Array(byteLength).fill(7)));
      expect(image).toMatchObject({ format: "raw", byteLength });
      expect(image.segments).toEqual([{ byteOffset: 0, byteLength }]);
      expect(image.regions).toEqual([]);
    }
  });

  test("an empty file, which has no pages", async () => {
    expect(await opened(write("empty", ""))).toMatchObject({ byteLength: 0, segments: [] });
  });

  test("a core, whatever its name; also through a symbolic link", async () => {
    const headers = [{ offset: 5000, address: 0x7000, fileBytes: 4096 }];
    const path = write("memory.raw", buildCore({ byteLength: 10_000, headers }));
    symlinkSync(path, `${path}.link`);
    const image = await opened(`${path}.link`);
    expect(image.format).toBe("elf-core");
    expect(image.regions).toEqual([{ segmentIndex: 1, address: 0x7000n }]);
    expect(image.segments[1]).toEqual({ byteOffset: 5000, byteLength: 4096 });
  });

  test("its descriptor reads the file", async () => {
    const image = await opened(write("a", "content"));
    const bytes = Buffer.alloc(7);
    expect(readSync(image.fd, bytes, 0, 7, 0)).toBe(7);
    expect(bytes.toString()).toBe("content");
  });
});

describe("open: refuses", () => {
  async function refusal(path: string): Promise<string> {
    const error = await openImageFile(path).catch((e: unknown) => e);
    expect(error).toMatchObject({ name: "PagefoldError", code: "INPUT" });
    return (error as Error).message;
  }

  test("what is missing, a directory, a device, a fifo, a socket", async () => {
    const folder = temporaryFolder();
    const fifo = join(folder, "fifo");
    const socket = join(folder, "socket");
    expect(spawnSync("sh", ["-c", 'mkfifo "$1"', "sh", fifo]).status).toBe(0);
    const server = createServer().listen(socket);
    onTestFinished(() => void server.close());
    await once(server, "listening");
    expect(await refusal(`${folder}/none`)).toBe(`${folder}/none: no such file or directory`);
    expect(await refusal(folder)).toBe(`${folder}: is a directory, not a regular file`);
    expect(await refusal("/dev/null")).toBe("/dev/null: is a device, not a regular file");
    expect(await refusal(fifo)).toBe(`${fifo}: is a fifo, not a regular file`);
    expect(await refusal(socket)).toBe(`${socket}: is a socket, not a regular file`);
    expect(await refusal(`${fifo}/x`)).toBe(`${fifo}/x: not a directory`);
  });

  test("what we may not read, or not reach", async () => {
    const folder = temporaryFolder();
    chmodSync(folder, 0o755);
    const path = join(folder, "secret");
    writeFileSync(path, "x");
    chmodSync(path, 0);
    expect(await unprivileged(() => refusal(path))).toBe(`${path}: permission denied`);
    mkdirSync(join(folder, "closed"), { mode: 0 });
    const inside = join(folder, "closed", "x");
    expect(await unprivileged(() => refusal(inside))).toBe(`${inside}: permission denied`);
  });
});

describe("open: notices changes", () => {
  test("of the size, as an error", async () => {
    const path = write("a", "12345678");
    const image = await opened(path);
    expect(image.checkUnchanged()).toBeUndefined();
    truncateSync(path, 3);
    expect(() => image.checkUnchanged()).toThrow(`${path}: shrank from 8 to 3 bytes`);
    appendFileSync(path, "1234567");
    expect(() => image.checkUnchanged()).toThrow(
      expect.objectContaining({ code: "CHANGED", message: expect.stringContaining("grew from 8") }),
    );
  });

  test("of the time alone, as a warning", async () => {
    const path = write("a", "12345678");
    const image = await opened(path);
    utimesSync(path, 1, 1);
    expect(image.checkUnchanged()).toBe(`${path}: was written to while it was read`);
  });
});
