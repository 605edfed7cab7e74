// Every frame that the `zstd` command writes is read by us, at once and as a stream: all levels,
// over text, painted, random and real bytes. Many contents go to one process: processes are dear.
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ZstdReader } from "../../src/image/containers/zstd.ts";
import { temporaryFolder } from "../support/folder.ts";
import { builds, wasmPath } from "../support/kernels.ts";
import { memoryLike } from "../support/lz4-inputs.ts";
import { randomSeed, seededRandom } from "../support/random.ts";
import { runFilled, smallInputs, textLike } from "../support/zstd-inputs.ts";
import { sparse } from "../support/zstd-vectors.ts";
import { openDecoder } from "../support/zstddecoder.ts";

const MAX_BYTES = 9_000_000;
const MAX_OUTPUT = 1 << 30;
const seed = randomSeed("zstd decode");

/** One frame for each content, all of the same options. */
function compressAll(contents: readonly Uint8Array[], options: readonly string[]): Uint8Array[] {
  const folder = temporaryFolder();
  const paths = contents.map((content, i) => {
    const path = join(folder, `${i}`);
    writeFileSync(path, content);
    return path;
  });
  const { status, stderr } = spawnSync("zstd", ["-q", ...options, ...paths]);
  if (status !== 0) throw new Error(`zstd ${options.join(" ")}: ${stderr}`);
  return paths.map((path) => new Uint8Array(readFileSync(`${path}.zst`)));
}

function compressPiped(content: Uint8Array, options: readonly string[]): Uint8Array {
  return execFileSync("zstd", ["-q", "-c", ...options], { input: content, maxBuffer: MAX_OUTPUT });
}

async function* onePiece(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function streamed(frames: Uint8Array): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of new ZstdReader().read(onePiece(frames), { name: "frames" })) {
    parts.push(Buffer.from(part));
  }
  return Buffer.concat(parts);
}

/** Bytes as they are: a module, a program, and what lies in this process' heap. */
function realContents(): Uint8Array[] {
  const module = readFileSync(wasmPath("debug"));
  const program = readFileSync(process.execPath).subarray(0, 3_000_000);
  const objects = JSON.stringify(process.report.getReport());
  return [module, program.subarray(1_000_000), Buffer.from(objects)];
}

const random = seededRandom(seed);
const contents = [
  ...smallInputs(seed)
    .filter(() => random.int(4) === 0)
    .map(({ input }) => input),
  ...realContents(),
  textLike(400_000, seed),
  memoryLike(1 << 20, seed),
  runFilled(1_500_000, seed),
  random.bytes(300_000),
];
const LEVELS = Array.from({ length: 22 }, (_, i) => (i < 19 ? `-${i + 1}` : `--ultra -${i + 1}`));
/** What high levels are slow on is left to the low ones. */
const SLOW_BYTES = 600_000;

describe("frames of the zstd command", () => {
  const decoders = builds.map(({ name }) => openDecoder(name, MAX_BYTES));

  function expectContent(frames: Uint8Array, content: Uint8Array): void {
    for (const { decode, fault } of decoders) {
      const decoded = decode(frames, content.length);
      expect(fault()).toBeUndefined();
      expect(decoded.result).toBe(content.length);
      expect(Buffer.compare(decoded.content, content)).toBe(0);
    }
  }

  test.each([...LEVELS, "--fast=1", "--fast=9", "-3 --no-check", "-6 --long"])("%s", (options) => {
    const isSlow = /1[4-9]|2\d/.test(options);
    const inputs = contents.filter(({ length }) => !isSlow || length < SLOW_BYTES);
    const frames = compressAll(inputs, options.split(" "));
    frames.forEach((frame, i) => {
      expectContent(frame, inputs[i]);
    });
    const isSmall = (_: unknown, i: number) => inputs[i].length < 70_000;
    expectContent(Buffer.concat(frames.filter(isSmall)), Buffer.concat(inputs.filter(isSmall)));
  });
});

describe("streams of the zstd command", () => {
  const long = Buffer.concat([...contents, sparse(4_000_000), ...contents]);

  test.each(["-1", "-4", "-8", "-13", "--ultra -20"])("%s, of unknown size", async (options) => {
    expect((await streamed(compressPiped(long, options.split(" ")))).equals(long)).toBe(true);
  });

  test.each([10, 11, 14, 17, 18, 20, 22, 25, 27])("a window of 2^%i bytes", async (log) => {
    const frames = compressPiped(long, ["-5", `--zstd=wlog=${log}`]);
    expect((await streamed(frames)).equals(long)).toBe(true);
  });

  test("--long=27 is read, --long=28 is refused by its window", async () => {
    expect((await streamed(compressPiped(long, ["-1", "--long=27"]))).equals(long)).toBe(true);
    const frames = compressPiped(long, ["-1", "--long=28"]);
    await expect(streamed(frames)).rejects.toThrow("its window is 268435456 bytes, the limit");
  });

  test("a dictionary is refused by its number", async () => {
    const folder = temporaryFolder();
    const samples = Array.from({ length: 200 }, (_, i) => {
      const path = join(folder, `${i}`);
      writeFileSync(path, textLike(600, i));
      return path;
    });
    const path = join(folder, "dictionary");
    execFileSync("zstd", [
      "-q",
      "--train",
      ...samples,
      "--dictID=4711",
      "--maxdict=4000",
      "-o",
      path,
    ]);
    const frames = compressPiped(textLike(600, 1), ["-D", path]);
    await expect(streamed(frames)).rejects.toThrow("the dictionary 4711");
  });
});
