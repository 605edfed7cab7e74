// npm run bench:serve -- FILE…: what is served of an archive, read from beginning to end by
// programs of others (curl, nbdcopy), against unpacking the same image. See bench/README.md.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync, rmSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { type Engine, openEngine, serveArchive } from "pagefold";
import { checkImages, writeGang } from "./corpus.ts";
import { describeMachine, type Machine, machineLine } from "./machine.ts";
import { digits, markdownTable } from "./markdown.ts";
import { type Candidate, relativeSpeed, speedOf, takeTurns } from "./measure.ts";
import { type BenchOptions, runBench } from "./options.ts";

interface ServeReport {
  schema: "pagefold/serve/1";
  date: string;
  machine: Machine;
  quick: boolean;
  /** Undefined when the images were made for the run. */
  images: string[] | undefined;
  /** Of each image and way: MiB/s, and how many times as fast as unpacking in the same rounds. */
  reads: { image: string; way: string; mebibytesPerSecond: number; timesUnpack: number }[];
}

const USAGE = `npm run bench:serve -- [FILE…]
  --dir DIR     where the archive lies (default: /dev/shm, or the folder for temporary files)
  --runs N      measured rounds (default: 5)
  --json FILE   the numbers as JSON as well
  --quick       a few seconds on small images: shows that it works, measures nothing`;
const FULL = { imagePages: 16_384, rounds: 5 };
const QUICK: typeof FULL = { imagePages: 1024, rounds: 1 };
/** As `pagefold serve` has it. */
const CACHE_BYTES = 64 << 20;

/** Runs a program to its end; the SHA-256 of what it writes, if that is wanted. */
async function run(command: string, words: string[], isHashed = false): Promise<string> {
  const stdio = ["ignore", isHashed ? "pipe" : "ignore", "inherit"] as const;
  const child = spawn(command, words, { stdio: [...stdio] });
  const hash = createHash("sha256");
  child.stdout?.on("data", (bytes) => hash.update(bytes));
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`${command}: exit code ${code}`);
  return hash.digest("hex");
}

/** The ways to read one image; the first is what the others are compared with. */
function waysOf(engine: Engine, archive: string, folder: string, name: string) {
  const [http, nbd] = [join(folder, "http"), join(folder, "nbd")];
  const out = join(folder, "out");
  const url = `http://localhost/images/${encodeURIComponent(name)}`;
  const curl = ["--silent", "--fail", "--unix-socket", http, url];
  const uri = `nbd+unix:///${encodeURIComponent(name)}?socket=${nbd}`;
  const ways: (Omit<Candidate, "run"> & { read(): Promise<unknown> })[] = [
    {
      name: "unpack",
      prepare: () => rmSync(out, { recursive: true, force: true }),
      read: () => engine.unpack({ path: archive }, out, { names: [name] }),
    },
    { name: "HTTP, curl", read: () => run("curl", [...curl, "--output", "/dev/null"]) },
    { name: "NBD, nbdcopy", read: () => run("nbdcopy", [uri, "null:"]) },
    {
      name: "NBD, nbdcopy --no-extents",
      read: () => run("nbdcopy", ["--no-extents", uri, "null:"]),
    },
  ];
  return {
    ways,
    contents: [() => run("curl", curl, true), () => run("nbdcopy", [uri, "-"], true)],
  };
}

async function measureServe(options: BenchOptions): Promise<ServeReport> {
  const { images, quick, runs, folder, threads } = options;
  const { imagePages, rounds } = quick ? QUICK : FULL;
  checkImages(images);
  const machine = describeMachine();
  process.stdout.write(`${machineLine(machine)}\n\n`);
  const paths = images.length > 0 ? images : writeGang(folder, 2, imagePages);
  const archive = join(folder, "images.pfa");
  const inputs = paths.map((path) => ({ name: basename(path), path }));
  const reads: ServeReport["reads"] = [];
  await using engine = await openEngine({ ...(threads && { threads }), cacheBytes: CACHE_BYTES });
  await engine.pack(inputs, { path: archive });
  await using _server = await serveArchive(engine, archive, {
    http: `unix:${join(folder, "http")}`,
    nbd: `unix:${join(folder, "nbd")}`,
  });
  for (const { name, path } of inputs) {
    const { ways, contents } = waysOf(engine, archive, folder, name);
    const sha256 = createHash("sha256").update(readFileSync(path)).digest("hex");
    for (const content of contents) {
      if ((await content()) !== sha256) throw new Error(`${name}: another content is served`);
    }
    const { size } = statSync(path);
    const candidates = ways.map(({ read, ...way }): Candidate => {
      return { ...way, run: () => read().then(() => size) };
    });
    const timings = await takeTurns(candidates, runs ?? rounds);
    const ofImage = timings.map((timing) => ({
      image: name,
      way: timing.name,
      mebibytesPerSecond: speedOf(timing),
      timesUnpack: relativeSpeed(timing, timings[0]),
    }));
    reads.push(...ofImage);
  }
  const rows = reads.map(({ image, way, mebibytesPerSecond, timesUnpack }) => {
    return [image, way, digits(mebibytesPerSecond), digits(timesUnpack)];
  });
  process.stdout.write(`${markdownTable(["image", "read by", "MiB/s", "× unpack"], rows)}\n`);
  const date = new Date().toISOString();
  const named = images.length > 0 ? images.map((path) => basename(path)) : undefined;
  return { schema: "pagefold/serve/1", date, machine, quick, images: named, reads };
}

await runBench(USAGE, measureServe);
