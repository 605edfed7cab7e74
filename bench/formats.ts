// npm run bench:formats -- FILE…: one guest in several formats: what each adds to an archive, if
// it comes back with the same memory, and how fast it goes in and out. See bench/README.md.
import { createHash } from "node:crypto";
import { createReadStream, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { type Engine, openArchive, openEngine } from "pagefold";
import { guestFiles } from "../test/support/guestfiles.ts";
import { mixed } from "../test/support/images.ts";
import { seededRandom } from "../test/support/random.ts";
import { checkImages } from "./corpus.ts";
import { describeMachine, type Machine, machineLine } from "./machine.ts";
import { digits, markdownTable, mebibytes } from "./markdown.ts";
import { type Candidate, median, speedOf, type Timing, takeTurns } from "./measure.ts";
import { type BenchOptions, runBench } from "./options.ts";

interface FormatResult {
  name: string;
  format: string;
  fileBytes: number;
  /** Of an archive of it alone. */
  aloneBytes: number;
  /** What it adds to an archive of those before it. */
  addedBytes: number;
  /** Unpacked, by SHA-256. */
  isIdentical: boolean;
  /** `unpack --as raw` gives the first file, as far as that goes. */
  isSameMemory: boolean;
  packMs: number;
  unpackMs: number;
  packMebibytesPerSecond: number;
  /** Seconds of the first image by the seconds of this one, per byte of the file. */
  packTimesFirst: number;
}

export interface FormatsReport {
  schema: "pagefold/formats/1";
  date: string;
  machine: Machine;
  quick: boolean;
  images: FormatResult[];
  /** Of an archive of all. */
  togetherBytes: number;
  /** By the archive of the first alone. */
  togetherTimesFirst: number;
}

const USAGE = `npm run bench:formats -- [FILE…]
  FILE…         one guest at one instant; the first is raw, the others are compared with it
  --dir DIR     where archives lie (default: /dev/shm, or the folder for temporary files)
  --runs N      measured rounds (default: 5)
  --json FILE   the numbers as JSON as well
  --quick       a few seconds on small images: shows that it works, measures nothing`;
const QUICK_PAGES = 2048;
const ROUNDS = 5;

interface Input {
  readonly name: string;
  readonly path: string;
}

async function sha256Of(path: string, byteLength?: number): Promise<string> {
  const hash = createHash("sha256");
  const range = byteLength === undefined ? {} : { end: byteLength - 1 };
  for await (const piece of createReadStream(path, range)) hash.update(piece);
  return hash.digest("hex");
}

/** Whether each comes back, and has the memory of the first. */
async function compare(engine: Engine, archive: string, folder: string, inputs: readonly Input[]) {
  const [same, raw] = [join(folder, "same"), join(folder, "raw")];
  const { size } = statSync(inputs[0].path);
  const memory = await sha256Of(inputs[0].path);
  const results = [];
  for (const { name, path } of inputs) {
    const [back] = (await engine.unpack({ path: archive }, same, { names: [name] })).images;
    const isIdentical = (await sha256Of(back.path)) === (await sha256Of(path));
    const how = { names: [name], as: "raw" } as const;
    const [converted] = (await engine.unpack({ path: archive }, raw, how)).images;
    const isSameMemory = (await sha256Of(converted.path, size)) === memory;
    results.push({ isIdentical, isSameMemory });
    for (const made of [same, raw]) rmSync(made, { recursive: true });
  }
  return results;
}

/** Packing and unpacking each image alone, all in turn. */
async function takeTimes(
  engine: Engine,
  folder: string,
  inputs: readonly Input[],
  rounds: number,
): Promise<{ pack: Timing; unpack: Timing }[]> {
  const out = join(folder, "out");
  const pathOf = (name: string): string => join(folder, `${name}.pfa`);
  const candidates = inputs.flatMap(({ name, path }): Candidate[] => {
    const { size } = statSync(path);
    const pack = () => engine.pack([{ name, path }], { path: pathOf(name), force: true });
    const unpack = () => engine.unpack({ path: pathOf(name) }, out);
    return [
      { name, run: () => pack().then(() => size) },
      {
        name,
        prepare: () => rmSync(out, { recursive: true, force: true }),
        run: () => unpack().then(() => size),
      },
    ];
  });
  const timings = await takeTurns(candidates, rounds);
  return inputs.map((_, i) => ({ pack: timings[2 * i], unpack: timings[2 * i + 1] }));
}

/** Seconds for each byte of `first` by those of `timing`, at the median of the rounds. */
function timesFirst({ bytes, elapsedMs }: Timing, first: Timing): number {
  const ratios = elapsedMs.map((ms, round) => bytes / ms / (first.bytes / first.elapsedMs[round]));
  return median(ratios);
}

/** Writes the files of a small guest. */
function writeGuest(folder: string): string[] {
  const random = seededRandom(1);
  const files = Object.entries(guestFiles(random, mixed(random, QUICK_PAGES)));
  return files.map(([name, bytes]) => {
    writeFileSync(join(folder, name), bytes);
    return join(folder, name);
  });
}

function print({ images, togetherBytes, togetherTimesFirst }: FormatsReport): void {
  const head = ["", "format", "file MiB", "alone MiB", "added MiB", "back", "as raw"];
  const rows = images.map((image) => [
    image.name,
    image.format,
    mebibytes(image.fileBytes),
    mebibytes(image.aloneBytes),
    mebibytes(image.addedBytes),
    image.isIdentical ? "identical" : "DIFFERS",
    image.isSameMemory ? "the same" : "DIFFERS",
  ]);
  process.stdout.write(`${markdownTable(head, rows)}\n\n`);
  const together = `${mebibytes(togetherBytes)} MiB, ${togetherTimesFirst.toFixed(4)} ×`;
  process.stdout.write(`All in one archive: ${together} that of ${images[0].name} alone.\n\n`);
  const speeds = images.map((image) => [
    image.name,
    digits(image.packMs / 1000),
    digits(image.packMebibytesPerSecond),
    digits(image.packTimesFirst),
    digits(image.unpackMs / 1000),
  ]);
  const titles = ["", "pack s", "MiB/s", `× ${images[0].name}`, "unpack s"];
  process.stdout.write(`${markdownTable(titles, speeds)}\n`);
}

async function measureFormats(options: BenchOptions): Promise<FormatsReport> {
  const { images, quick, runs, folder, threads } = options;
  checkImages(images);
  const machine = describeMachine();
  process.stdout.write(`${machineLine(machine)}\n\n`);
  const paths = images.length > 0 ? images : writeGuest(folder);
  const inputs = paths.map((path) => ({ name: basename(path), path }));
  await using engine = await openEngine({ ...(threads && { threads }) });
  const timings = await takeTimes(engine, folder, inputs, runs ?? (quick ? 1 : ROUNDS));
  const archive = join(folder, "all.pfa");
  const sizes = [0];
  for (const [i] of inputs.entries()) {
    await engine.pack(inputs.slice(0, i + 1), { path: archive, force: true });
    sizes.push(statSync(archive).size);
  }
  await using opened = await openArchive(archive);
  const found = await compare(engine, archive, folder, inputs);
  const results = inputs.map(({ name, path }, i): FormatResult => {
    const { pack, unpack } = timings[i];
    return {
      name,
      format: opened.images[i].format,
      fileBytes: statSync(path).size,
      aloneBytes: statSync(join(folder, `${name}.pfa`)).size,
      addedBytes: sizes[i + 1] - sizes[i],
      ...found[i],
      packMs: median(pack.elapsedMs),
      unpackMs: median(unpack.elapsedMs),
      packMebibytesPerSecond: speedOf(pack),
      packTimesFirst: timesFirst(pack, timings[0].pack),
    };
  });
  const togetherBytes = statSync(archive).size;
  const report: FormatsReport = {
    schema: "pagefold/formats/1",
    date: new Date().toISOString(),
    machine,
    quick,
    images: results,
    togetherBytes,
    togetherTimesFirst: togetherBytes / results[0].aloneBytes,
  };
  print(report);
  return report;
}

await runBench(USAGE, measureFormats);
