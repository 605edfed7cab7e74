// npm run bench:codec -- FILE…: the Zstandard kernels on the distinct pages of images, in pieces of
// several sizes, against the C library, fflate and our LZ4. See bench/README.md.
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readDistinctPages } from "./codec/distinct.ts";
import { measureNativeZstd } from "./codec/nativezstd.ts";
import { type CodecSpeed, openFflate, openKernelCodecs, type PieceCodec } from "./codec/pieces.ts";
import { checkImages, writeGang } from "./corpus.ts";
import { describeMachine, type Machine, machineLine } from "./machine.ts";
import { digits, markdownTable, mebibytes } from "./markdown.ts";
import { quantile, takeTurns } from "./measure.ts";
import { type BenchOptions, runBench } from "./options.ts";

export interface PieceReport {
  pieceBytes: number;
  codecs: CodecSpeed[];
}

export interface CodecReport {
  schema: "pagefold/codec/1";
  date: string;
  machine: Machine;
  quick: boolean;
  /** Undefined when the images were made for the run. */
  images: string[] | undefined;
  byteLength: number;
  pieces: PieceReport[];
}

const USAGE = `npm run bench:codec -- [FILE…]
  --dir DIR     where the pages are written for the zstd command (default: /dev/shm, or the
                folder for temporary files)
  --runs N      measured rounds (default: 5)
  --json FILE   the numbers as JSON as well
  --quick       a few seconds on small images: shows that it works, measures nothing`;
const PIECES_BYTES = [4096, 16_384, 65_536, 262_144, 1_048_576];
const FULL = { imagePages: 16_384, bytes: 64 << 20, rounds: 5, nativeSeconds: 1 };
const QUICK: typeof FULL = { imagePages: 512, bytes: 2 << 20, rounds: 1, nativeSeconds: 0 };
/** What others are compared with. */
const YARDSTICK = "native zstd -1";

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Encodes and decodes in turn with the other codecs; each is demanded to give its input back. */
async function measureCodecs(codecs: readonly PieceCodec[], rounds: number): Promise<CodecSpeed[]> {
  const storedBytes = codecs.map(() => 0);
  const encoders = codecs.map((codec, i) => ({
    name: codec.name,
    run() {
      storedBytes[i] = codec.encode();
      return codec.byteLength;
    },
  }));
  const megabytes = (bytes: number, elapsedMs: number[]) => bytes / 1000 / quantile(elapsedMs, 0);
  const speeds = (await takeTurns(encoders, rounds)).map(
    ({ name, bytes, elapsedMs }, i): CodecSpeed => ({
      name,
      ratio: bytes / storedBytes[i],
      encodeMegabytes: megabytes(bytes, elapsedMs),
      decodeMegabytes: 0,
    }),
  );
  // One after the other: kernels share the memory that they encode to.
  for (const [i, codec] of codecs.entries()) {
    codec.encode();
    const run = () => {
      codec.decode();
      return codec.byteLength;
    };
    const [{ bytes, elapsedMs }] = await takeTurns([{ name: codec.name, run }], rounds);
    if (!codec.isRight()) throw new Error(`${codec.name} does not give the pages back`);
    speeds[i].decodeMegabytes = megabytes(bytes, elapsedMs);
  }
  return speeds;
}

/** Distinct pages of all files together, as many of each. */
async function readPages(images: readonly string[], maxBytes: number): Promise<Buffer> {
  const share = Math.floor(maxBytes / images.length);
  return Buffer.concat(await Promise.all(images.map((path) => readDistinctPages(path, share))));
}

export function codecTable({ pieceBytes, codecs }: PieceReport): string {
  const yardstick = codecs.find(({ name }) => name === YARDSTICK);
  const times = (value: number, other: number | undefined) => digits(other && value / other);
  return markdownTable(
    [`${pieceBytes / 1024} KiB`, "ratio", "encode MB/s", "× -1", "decode MB/s", "× -1"],
    codecs.map(({ name, ratio, encodeMegabytes, decodeMegabytes }) => [
      name,
      ratio.toFixed(3),
      digits(encodeMegabytes),
      times(encodeMegabytes, yardstick?.encodeMegabytes),
      digits(decodeMegabytes),
      times(decodeMegabytes, yardstick?.decodeMegabytes),
    ]),
  );
}

async function measureAll({ images, folder, quick, runs }: BenchOptions): Promise<CodecReport> {
  const size = quick ? QUICK : FULL;
  const rounds = runs ?? size.rounds;
  const machine = describeMachine();
  checkImages(images);
  const isOwn = images.length === 0;
  const files = isOwn ? writeGang(folder, 2, size.imagePages) : images;
  const pages = await readPages(files, size.bytes);
  say(`${machineLine(machine)}\n\n${mebibytes(pages.length)} MiB of distinct pages\n`);
  const path = join(folder, "pages");
  writeFileSync(path, pages);
  const kernelCodecs = openKernelCodecs(pages);
  const pieces: PieceReport[] = [];
  for (const pieceBytes of PIECES_BYTES) {
    const codecs = [...kernelCodecs(pieceBytes), openFflate(pages, pieceBytes)];
    const own = await measureCodecs(codecs, rounds);
    const native = measureNativeZstd(path, pieceBytes, size.nativeSeconds);
    pieces.push({ pieceBytes, codecs: [...own, ...native] });
    say(`${codecTable(pieces[pieces.length - 1])}\n`);
  }
  rmSync(path);
  return {
    schema: "pagefold/codec/1",
    date: new Date().toISOString(),
    machine,
    quick,
    images: isOwn ? undefined : files,
    byteLength: pages.length,
    pieces,
  };
}

await runBench(USAGE, measureAll);
