// npm run bench:gang: a gang of guests at work moves between two hosts over a shaped link, by each
// means of QEMU and through the tunnel in turn. Root, iproute2, Debian. See bench/README.md.
import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Gang } from "../scripts/vm/gang.ts";
import { newQemu } from "../scripts/vm/qemu10.ts";
import { type Contender, contenders } from "./gang/contenders.ts";
import { type GangBenchOptions, readOptions, USAGE } from "./gang/options.ts";
import {
  allFigures,
  type GangReport,
  linkTable,
  linkTitle,
  ratioLines,
  trialLine,
} from "./gang/report.ts";
import { runTrial, type Trial } from "./gang/trial.ts";
import { describeMachine, machineLine } from "./machine.ts";

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** All runs over a link of one speed: in each round every setting has its turn. */
async function measureLink(
  gang: Gang,
  mbit: number,
  ways: readonly Contender[],
  options: GangBenchOptions,
): Promise<Trial[]> {
  say(`\n${linkTitle(mbit, options)}\n`);
  await gang.link.shape(mbit);
  const trials: Trial[] = [];
  for (let round = 0; round < options.runs; round++) {
    for (const way of ways) {
      for (const isCompared of options.compares ? [false, true] : [false]) {
        await sleep(options.settleMs);
        const { limitMs } = options;
        const trial = await runTrial(gang, way, { mbit, round, isCompared, limitMs });
        trials.push(trial);
        say(trialLine(trial));
      }
    }
  }
  const names = ways.map(({ name }) => name);
  say(`\n${linkTable(allFigures(names, trials))}\n`);
  const last = names.at(-1) ?? "";
  for (const line of ratioLines(last, names.slice(0, -1), trials)) say(line);
  return trials;
}

async function measure(options: GangBenchOptions): Promise<GangReport> {
  const machine = describeMachine();
  say(machineLine(machine));
  const ways = contenders(options.settings, options.tunnelWords);
  const { program, version, complaint } = await newQemu();
  say(complaint ?? `QEMU ${version}`);
  const { workloads, memoryMiB, rate, ws } = options;
  const gang = await Gang.boot({
    workloads,
    memoryMiB,
    qemu: program,
    ...(rate === undefined ? {} : { rate }),
    ...(ws === undefined ? {} : { ws }),
  });
  const onSignal = () => void gang.close().finally(() => process.exit(130));
  process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
  try {
    const links: GangReport["links"] = [];
    const trials: Trial[] = [];
    for (const mbit of options.mbits) {
      const ofLink = await measureLink(gang, mbit, ways, options);
      const names = ways.map(({ name }) => name);
      links.push({ mbit, figures: allFigures(names, ofLink) });
      trials.push(...ofLink);
    }
    const schema = "pagefold/gang/1";
    return {
      schema,
      date: new Date().toISOString(),
      machine,
      qemu: version,
      options,
      links,
      trials,
    };
  } finally {
    await gang.close();
  }
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
