// AVML's compressed dumps are the LiME files that they are converted to; broken and mutated ones
// are refused with place and reason.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { PagefoldError } from "../../../src/core/errors.ts";
import { avmlContent, isAvml } from "../../../src/image/containers/avml.ts";
import { Containers } from "../../../src/image/containers/containers.ts";
import { SnappyReader } from "../../../src/image/containers/snappyframes.ts";
import { openImage } from "../../../src/image/open.ts";
import { avmlFile } from "../../support/avml.ts";
import { inPieces } from "../../support/engine.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { fuzzImage } from "../../support/imagefuzz.ts";
import { limeFile } from "../../support/lime.ts";
import { randomSeed, seededRandom } from "../../support/random.ts";

const random = seededRandom(randomSeed("avml"));
const MEMORY = [random.bytes(0x9f000), random.bytes(8192), random.bytes(65_536)];
const FIRST = [0x1000n, 0x10_0000n, 0x1_0000_0000n];
const ranges = MEMORY.map((memory, i) => ({ first: FIRST[i], memory }));
const good = avmlFile(ranges);

/** What `avml convert` gives: each range behind its header. */
function converted(): Buffer {
  const parts = ranges.map(({ first, memory }) => {
    const header = limeFile([{ first, byteLength: memory.length }]).subarray(0, 32);
    return Buffer.concat([header, memory]);
  });
  return Buffer.concat(parts);
}

function flip(bytes: Buffer, at: number): void {
  bytes[at] ^= 1;
}

async function readAll(bytes: Uint8Array, size = 1000): Promise<Buffer> {
  const parts: Buffer[] = [];
  const pieces = inPieces(bytes, size);
  for await (const piece of avmlContent(pieces, new SnappyReader(), { name: "a" })) {
    parts.push(Buffer.from(piece));
  }
  return Buffer.concat(parts);
}

test("avml: gives the LiME file, with its ranges known beforehand", async () => {
  expect((await readAll(good)).equals(converted())).toBe(true);
  expect((await readAll(good, 1 << 20)).equals(converted())).toBe(true);
  const path = join(temporaryFolder(), "dump");
  writeFileSync(path, good);
  const image = await openImage(path, new Containers());
  onTestFinished(() => image.close());
  const known = { format: "lime", decompressed: "avml", byteLength: converted().length };
  expect(image).toMatchObject({ fd: undefined, ...known });
  expect(image.segments).toHaveLength(6);
});

test("avml: is known by magic and version", () => {
  expect(isAvml(good)).toBe(true);
  expect(isAvml(good.subarray(0, 31))).toBe(false);
  expect(isAvml(limeFile([{ first: 0n, byteLength: 64 }]))).toBe(false);
});

test("avml: is refused with place and reason", async () => {
  const refusal = async (change: (bytes: Buffer) => Buffer | undefined) => {
    const bytes = Buffer.from(good);
    const error = await readAll(change(bytes) ?? bytes).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(PagefoldError);
    return (error as Error).message;
  };
  const first = "a: AVML range 1 at byte 0:";
  expect(await refusal((bytes) => bytes.subarray(0, 20))).toBe(
    `${first} truncated: 20 bytes of its head`,
  );
  expect(await refusal((bytes) => void bytes.writeUInt8(9, 24))).toBe(
    `${first} begins no range of version 2`,
  );
  expect(await refusal((bytes) => void bytes.writeBigUInt64LE(9n, 16))).toBe(
    `${first} reaches from 0x1000 to 0x9`,
  );
  expect(await refusal((bytes) => void bytes.writeBigUInt64LE(0x1001n, 16))).toBe(
    `${first} holds more than 2 bytes`,
  );
  expect(await refusal((bytes) => bytes.subarray(0, bytes.length - 5))).toMatch(
    /^a: AVML range 3 at byte \d+: truncated: the length of its frames is missing$/,
  );
  expect(await refusal((bytes) => void flip(bytes, bytes.length - 8))).toMatch(
    /^a: AVML range 3 at byte \d+: its frames have \d+ bytes, its end says \d+$/,
  );
  expect(await refusal((bytes) => void flip(bytes, 1000))).toMatch(
    /^a: AVML range 1 at byte 0: snappy chunk at byte 42: its content has the checksum /,
  );
  expect(await refusal((bytes) => Buffer.concat([bytes, bytes.subarray(0, 100)]))).toMatch(
    /^a: AVML range 4 at byte \d+: snappy chunk at byte \d+: truncated/,
  );
});

test("avml: mutated", { timeout: 30 * 60_000 }, async () => {
  const small = avmlFile([
    { first: 0x1000n, memory: MEMORY[1] },
    { first: 0x10_0000n, memory: MEMORY[1].subarray(0, 5000) },
  ]);
  const outcomes = await fuzzImage(small, { name: "an AVML dump" });
  expect(outcomes.get("lime in avml")).toBeGreaterThan(0);
});
