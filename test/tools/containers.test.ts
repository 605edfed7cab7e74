// What gzip, lz4 and zstd write is read, whatever they are asked for, and what they refuse is
// refused.
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Containers } from "../../src/image/containers/containers.ts";
import { openImage } from "../../src/image/open.ts";
import { temporaryFolder } from "../support/folder.ts";
import { mixed } from "../support/images.ts";
import { seededRandom } from "../support/random.ts";

const containers = new Containers();
const random = seededRandom(4);
// Above 8 MiB, so that legacy LZ4 has two blocks.
const content = Buffer.concat([mixed(random, 2400), random.bytes(77)]);

const COMMANDS: [string, string[]][] = [
  ["gzip", ["-1"]],
  ["gzip", ["-9"]],
  ["zstd", ["-3"]],
  ["zstd", ["--long=27", "--no-check"]],
  ["lz4", []],
  ["lz4", ["-B4", "-BD", "-BX", "--content-size"]],
  ["lz4", ["-B5", "--no-frame-crc"]],
  ["lz4", ["-B6", "-BD", "-9"]],
  ["lz4", ["-B7", "-BX"]],
  ["lz4", ["-B4096", "-BD"]],
  ["lz4", ["-l"]],
  ["lz4", ["-l", "-9"]],
];

function run(command: string, words: string[], input: Uint8Array): SpawnSyncReturns<Buffer> {
  const result = spawnSync(command, words, { input, maxBuffer: 1 << 28 });
  if (result.error) throw result.error;
  return result;
}

function compressed(command: string, words: string[], input: Uint8Array): Buffer {
  const { status, stdout } = run(command, [...words, "-c"], input);
  expect(status).toBe(0);
  return stdout;
}

async function contentOf(bytes: Uint8Array): Promise<Buffer> {
  const path = join(temporaryFolder(), "image");
  writeFileSync(path, bytes);
  const image = await openImage(path, containers);
  try {
    if (image.fd !== undefined) return readFileSync(path);
    const parts: Buffer[] = [];
    for await (const piece of image.content()) parts.push(Buffer.from(piece));
    return Buffer.concat(parts);
  } finally {
    await image.close();
  }
}

test.each(COMMANDS)("%s %j, once and twice", async (command, words) => {
  const once = compressed(command, words, content);
  expect((await contentOf(once)).equals(content)).toBe(true);
  const again = compressed(command, words, content.subarray(0, 100_000));
  const twice = await contentOf(Buffer.concat([once, again]));
  expect(twice.equals(Buffer.concat([content, content.subarray(0, 100_000)]))).toBe(true);
});

test("what the commands refuse is refused, what they read is read", async () => {
  const small = content.subarray(0, 20_000);
  const seeded = seededRandom(8);
  for (const [command, words] of COMMANDS) {
    const good = compressed(command, words, small);
    for (let round = 0; round < 12; round++) {
      const bytes = Buffer.from(good);
      const change = seeded.int(3);
      // The time and the system in the head of gzip mean nothing.
      const at = 10 + seeded.int(bytes.length - 10);
      if (change === 0) bytes[at] ^= 1 << seeded.int(8);
      const given = change === 1 ? bytes.subarray(0, at) : bytes;
      const input = change === 2 ? Buffer.concat([bytes, Buffer.from("more of it")]) : given;
      const theirs = run(command, ["-dc"], input);
      const ours = await contentOf(input).catch(() => undefined);
      const words8 = `${command} ${words.join(" ")} round ${round}`;
      expect(`${words8}: ${ours !== undefined}`).toBe(`${words8}: ${theirs.status === 0}`);
      if (ours) expect(ours.equals(theirs.stdout)).toBe(true);
    }
  }
});
