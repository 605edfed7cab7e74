// Firecracker: memory files are raw, and a diff layer is refused before its holes are lost.
import { closeSync, openSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { Containers } from "../../src/image/containers/containers.ts";
import { crc64, isStateFile } from "../../src/image/firecracker.ts";
import { openImage, openImageFile } from "../../src/image/open.ts";
import { temporaryFolder } from "../support/folder.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const random = seededRandom(randomSeed("firecracker"));

/** What Firecracker saves: an encoding that is its own, and the checksum of that. */
function stateFile(): Buffer {
  const state = random.bytes(20_000);
  const checksum = Buffer.alloc(8);
  checksum.writeBigUInt64LE(crc64(state));
  return Buffer.concat([state, checksum]);
}

function sparseFile(path: string): string {
  truncateSync(openAndClose(path), 1 << 20);
  const fd = openSync(path, "r+");
  writeSync(fd, random.bytes(8192), 0, 8192, 65_536);
  closeSync(fd);
  return path;
}

function openAndClose(path: string): string {
  writeFileSync(path, "");
  return path;
}

test("firecracker: the checksum is that of its own test", () => {
  expect(crc64(new Uint8Array(16).fill(123))).toBe(0x29d5_3572_1632_6566n);
  const state = stateFile();
  expect(isStateFile(state)).toBe(true);
  expect(isStateFile(state.subarray(1))).toBe(false);
  state[77] ^= 4;
  expect(isStateFile(state)).toBe(false);
  expect(isStateFile(new Uint8Array(500))).toBe(false);
  expect(isStateFile(new Uint8Array(0))).toBe(false);
});

test("firecracker: a sparse file beside its state is refused, others are raw", async () => {
  const folder = temporaryFolder();
  const memory = sparseFile(join(folder, "mem"));
  const raw = async () => {
    const image = await openImage(memory, new Containers());
    onTestFinished(() => image.close());
    return image.format;
  };
  expect(await raw()).toBe("raw");
  writeFileSync(join(folder, "vmstate"), stateFile());
  await expect(openImage(memory, new Containers())).rejects.toMatchObject({
    code: "INPUT",
    message: expect.stringMatching(/: has holes and lies beside vmstate of .*snapshot-editor/),
  });
  const asItIs = await openImageFile(memory);
  onTestFinished(() => asItIs.close());
  expect(asItIs.format).toBe("raw");
  writeFileSync(memory, random.bytes(1 << 20));
  expect(await raw()).toBe("raw");
});
