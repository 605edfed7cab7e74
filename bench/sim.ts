// npm run bench:sim: whole racks of hosts move to other racks over made-up links and a clock of
// their own; what decides which page goes by name is the product's code. See bench/README.md.
import { readFileSync, writeFileSync } from "node:fs";
import { readStatistics } from "./sim/fleet.ts";
import { makeStatistics } from "./sim/makestatistics.ts";
import { readOptions, type SimOptions, USAGE } from "./sim/options.ts";
import { writePicture } from "./sim/picture.ts";
import { type Outcome, outcomeTable, type SimReport } from "./sim/report.ts";
import { play } from "./sim/scenario.ts";
import { validate } from "./sim/validate.ts";

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function simulate(options: SimOptions): Promise<SimReport> {
  const statistics = options.statistics
    ? JSON.parse(readFileSync(options.statistics, "utf8"))
    : readStatistics();
  const series: { title: string; outcomes: Outcome[] }[] = [];
  for (const { title, scenarios } of options.series) {
    say(`\nby ${title}\n`);
    const outcomes: Outcome[] = [];
    for (const scenario of scenarios) {
      const startedAt = performance.now();
      const figures = await play(statistics, scenario);
      outcomes.push({ scenario, figures, seconds: (performance.now() - startedAt) / 1000 });
      const faults = figures.reduce((sum, one) => sum + one.faults, 0);
      if (faults > 0) throw new Error(`${faults} pages did not come, or came twice`);
    }
    say(outcomeTable(outcomes));
    series.push({ title, outcomes });
  }
  return { schema: "pagefold/sim/1", statistics: statistics.how, series };
}

async function run(options: SimOptions): Promise<void> {
  if (options.makeStatistics) {
    const made = makeStatistics(options.images);
    writeFileSync(options.makeStatistics, `${JSON.stringify(made, undefined, 2)}\n`);
    return;
  }
  if (options.validate) {
    say(await validate(JSON.parse(readFileSync(options.validate, "utf8"))));
    return;
  }
  const report = await simulate(options);
  if (options.json) writeFileSync(options.json, `${JSON.stringify(report, undefined, 2)}\n`);
  if (options.picture) await writePicture(report, options.picture);
}

try {
  const options = readOptions();
  if (options) await run(options);
  else say(USAGE);
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
