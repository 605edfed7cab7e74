// npm run bench:interrack: the guests of all hosts of a rack move to another rack over one shaped
// link, by each means of QEMU and through pagefold in turn. Root, iproute2, redis-server, Debian.
// See bench/README.md.
import { writeFileSync } from "node:fs";
import { newQemu } from "../scripts/vm/qemu10.ts";
import { RackGang } from "../scripts/vm/rackgang.ts";
import { contenders, type RackContender } from "./interrack/contenders.ts";
import { markLine, marksOf } from "./interrack/marks.ts";
import { type InterrackOptions, readOptions, USAGE } from "./interrack/options.ts";
import {
  allFigures,
  figuresTable,
  type InterrackReport,
  ratioLine,
  ratiosOf,
  title,
  trialLine,
} from "./interrack/report.ts";
import { type RackTrial, runTrial } from "./interrack/trial.ts";
import { describeMachine, machineLine } from "./machine.ts";

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** All runs over a core of one speed: in each round every setting has its turn. */
async function measureCore(
  gang: RackGang,
  coreMbit: number,
  ways: readonly RackContender[],
  options: InterrackOptions,
): Promise<{ link: InterrackReport["links"][number]; trials: RackTrial[] }> {
  say(`\n${title(coreMbit, options)}\n`);
  await gang.racks.shape({ coreMbit });
  const trials: RackTrial[] = [];
  for (let round = 0; round < options.runs; round++) {
    for (const core of options.cores) {
      for (const way of ways) {
        for (const isCompared of options.compares ? [false, true] : [false]) {
          const trial = await runTrial(gang, way, { coreMbit, core, round, isCompared }, options);
          trials.push(trial);
          say(trialLine(trial));
        }
      }
    }
  }
  const names = ways.map(({ name }) => name);
  const link: InterrackReport["links"][number] = { coreMbit, figures: [], ratios: [], marks: [] };
  for (const core of options.cores) {
    const figures = allFigures(names, core, trials);
    const ratios = ratiosOf(names, core, trials);
    say(`\ncore ${core}\n\n${figuresTable(figures)}\n\n${ratios.map(ratioLine).join("\n")}`);
    link.figures.push(...figures);
    link.ratios.push(...ratios);
  }
  link.marks.push(...names.flatMap((name) => marksOf(name, trials)));
  say(`\n${link.marks.map(markLine).join("\n")}`);
  return { link, trials };
}

async function measure(options: InterrackOptions): Promise<InterrackReport> {
  const machine = describeMachine();
  say(machineLine(machine));
  const ways = contenders(options.settings, options.tunnelWords);
  const { program, version, complaint } = await newQemu();
  say(complaint ?? `QEMU ${version}`);
  const { hosts, workloads, replicas, memoryMiB, rate, ws, edgeMbit, coreMbits } = options;
  const gang = await RackGang.boot({
    ...{ hosts, workloads, replicas, memoryMiB, edgeMbit, coreMbit: coreMbits[0], rate },
    qemu: program,
    ...(ws === undefined ? {} : { ws }),
  });
  const onSignal = () => void gang.close().finally(() => process.exit(130));
  process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
  try {
    const report: InterrackReport = {
      schema: "pagefold/interrack/1",
      date: new Date().toISOString(),
      machine,
      qemu: version,
      options,
      links: [],
      trials: [],
    };
    for (const coreMbit of coreMbits) {
      const { link, trials } = await measureCore(gang, coreMbit, ways, options);
      report.links.push(link);
      report.trials.push(...trials);
    }
    return report;
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
