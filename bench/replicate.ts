// npm run bench:replicate: a guest at work is replicated to a second host over a shaped link, by
// blocks and by pages in turn, and goes on there when its host dies. Root, iproute2, Debian. See
// bench/README.md.
import { writeFileSync } from "node:fs";
import { Gang, type Workload } from "../scripts/vm/gang.ts";
import { INSTALLED_QEMU, newQemu, versionOf } from "../scripts/vm/qemu10.ts";
import { describeMachine, machineLine } from "./machine.ts";
import { type ReplicateBenchOptions, readOptions, USAGE } from "./replicate/options.ts";
import {
  type Figures,
  figuresOf,
  NOTES,
  nameOf,
  type ReplicateReport,
  ratioLines,
  table,
  trialLine,
} from "./replicate/report.ts";
import { runTrial, type Setting, type Trial } from "./replicate/trial.ts";

/** Redis is asked from outside as well. */
const NETDEV = "user,restrict=on,hostfwd=tcp:127.0.0.1:6379-10.0.2.15:6379";

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function settingsOf(options: ReplicateBenchOptions): Setting[] {
  const { captures, intervalsMs, granularities, outputs } = options;
  return captures.flatMap((capture) =>
    intervalsMs.flatMap((intervalMs) =>
      outputs.flatMap((output) =>
        granularities.map((granularity) => ({ capture, intervalMs, granularity, output })),
      ),
    ),
  );
}

/** All turns of one guest. */
async function measureGuest(
  gang: Gang,
  workload: Workload,
  options: ReplicateBenchOptions,
): Promise<Trial[]> {
  const { memoryMiB, mbit, runs, measureMs, directory } = options;
  say(`\n${workload}, ${memoryMiB} MiB, ${mbit} Mbit/s\n`);
  const trials: Trial[] = [];
  for (let round = 0; round < runs; round++) {
    for (const setting of settingsOf(options)) {
      const facts = { ...setting, workload, round };
      const trial = await runTrial(gang, facts, { measureMs, directory });
      trials.push(trial);
      say(trialLine(trial));
    }
  }
  return trials;
}

function allFigures(trials: readonly Trial[], settings: readonly Setting[]): Figures[] {
  return settings.flatMap((setting) => {
    return figuresOf(trials.filter((trial) => nameOf(trial) === nameOf(setting))) ?? [];
  });
}

async function measure(options: ReplicateBenchOptions): Promise<ReplicateReport> {
  const machine = describeMachine();
  say(machineLine(machine));
  const { program, version } = options.isNewQemu
    ? await newQemu()
    : { program: INSTALLED_QEMU, version: await versionOf(INSTALLED_QEMU) };
  say(`QEMU ${version}`);
  const { memoryMiB, mbit, rate, ws } = options;
  const figures: Figures[] = [];
  const trials: Trial[] = [];
  for (const workload of options.workloads) {
    const words = { ...(rate === undefined ? {} : { rate }), ...(ws === undefined ? {} : { ws }) };
    const gang = await Gang.boot({
      ...words,
      workloads: [workload],
      memoryMiB,
      mbit,
      netdev: NETDEV,
      qemu: program,
    });
    const onSignal = () => void gang.close().finally(() => process.exit(130));
    process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
    try {
      const ofGuest = await measureGuest(gang, workload, options);
      const found = allFigures(ofGuest, settingsOf(options));
      say(`\n${table(found)}\n`);
      for (const line of ratioLines(ofGuest)) say(line);
      figures.push(...found);
      trials.push(...ofGuest);
    } finally {
      process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
      await gang.close();
    }
  }
  say(NOTES);
  const schema = "pagefold/replicate-bench/1";
  const date = new Date().toISOString();
  return { schema, date, machine, qemu: version, options, figures, trials };
}

try {
  const options = readOptions();
  if (!options) say(USAGE);
  else {
    const report = await measure(options);
    if (options.json) writeFileSync(options.json, `${JSON.stringify(report, undefined, 2)}\n`);
  }
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
