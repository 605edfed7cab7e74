// npm run bench:checkpoint -- DIR: consecutive checkpoints of one guest: what replication makes of
// each epoch, what a difference of two files costs, and what other tools need. See bench/README.md.
import { readChain } from "./checkpoint/chain.ts";
import type { Contender, Epoch } from "./checkpoint/epoch.ts";
import { compareFiles } from "./checkpoint/files.ts";
import { measureFloor } from "./checkpoint/floor.ts";
import {
  type CheckpointReport,
  type EpochReport,
  epochLine,
  floorTable,
  marksTable,
  medianTable,
} from "./checkpoint/report.ts";
import { findCheckpoints, makeCheckpoints, warm } from "./checkpoint/sequence.ts";
import { describeMachine, machineLine } from "./machine.ts";
import { median, takeTurns } from "./measure.ts";
import { type BenchOptions, runBench } from "./options.ts";

const USAGE = `npm run bench:checkpoint -- [DIR]
  DIR holds raw images of one guest, of one length, in the order of their names.
  --dir DIR        where everything is written (default: /dev/shm, or the temporary folder)
  -T, --threads N  threads of pagefold and zstd (default: 2)
  --runs N         measured runs of each (default: 3)
  --json FILE      the numbers as JSON as well
  --quick          a few seconds on small images: shows that it works, measures nothing`;
const FULL = { imagePages: 16_384, imageCount: 4, rounds: 3 };
const QUICK: typeof FULL = { imagePages: 512, imageCount: 3, rounds: 1 };

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** All contenders take turns; in the first round, which does not count, results are checked. */
async function measureEpoch(
  epoch: Epoch,
  contenders: readonly Contender[],
  rounds: number,
): Promise<EpochReport> {
  const bytes = contenders.map(() => 0);
  const isChecked = contenders.map(() => false);
  const candidates = contenders.map((contender, i) => ({
    name: contender.name,
    prepare: async () => {
      if (bytes[i] > 0 && !isChecked[i]) {
        await contender.check(epoch);
        isChecked[i] = true;
      }
      await contender.prepare?.(epoch);
    },
    run: async () => {
      bytes[i] = await contender.run(epoch);
      return epoch.byteLength;
    },
  }));
  const timings = await takeTurns(candidates, rounds);
  const results = timings.map(({ name, elapsedMs }, i) => ({
    name,
    way: contenders[i].way,
    bytes: bytes[i],
    elapsedMs: median(elapsedMs),
  }));
  const { older, newer, changedPages, changedBlocks } = epoch;
  return { older, newer, changedPages, changedBlocks, results };
}

async function measureAll(options: BenchOptions): Promise<CheckpointReport> {
  const { images, folder, quick } = options;
  if (images.length > 1) throw new Error("one folder of checkpoints is enough");
  const size = quick ? QUICK : FULL;
  const rounds = options.runs ?? size.rounds;
  const threads = options.threads ?? 2;
  const machine = describeMachine();
  say(`${machineLine(machine)}; ${threads} threads, ${rounds} runs\n`);
  const paths =
    images.length > 0
      ? findCheckpoints(images[0])
      : makeCheckpoints(folder, size.imageCount, size.imagePages);
  warm(paths);
  const epochs: EpochReport[] = [];
  const chain = await readChain(paths[0]);
  const files = await compareFiles(folder, threads);
  try {
    for (let i = 1; i < paths.length; i++) {
      const epoch = chain.epoch(paths[i - 1], paths[i]);
      const contenders = [...chain.contenders, ...files.contenders];
      const report = await measureEpoch(epoch, contenders, rounds);
      epochs.push(report);
      say(epochLine(report));
      chain.move(epoch);
    }
    say(`\n${medianTable(epochs)}\n\n${marksTable(epochs)}\n`);
    const floor = await measureFloor(paths[paths.length - 1], chain, files, rounds);
    say(floorTable(floor));
    return {
      schema: "pagefold/checkpoint/1",
      date: new Date().toISOString(),
      machine,
      quick,
      folder: images[0],
      threads,
      rounds,
      versions: files.versions,
      epochs,
      floor,
    };
  } finally {
    await files.close();
  }
}

await runBench(USAGE, measureAll);
