// The simulator against bench:interrack. It is told of the gang alone what it took: bytes, and how
// much of the machine, which all hosts share there, the tunnels had. With that it has to say what
// the rack takes.
import type { InterrackReport } from "../interrack/report.ts";
import type { RackFigures } from "../interrack/trial.ts";
import { digits, markdownTable } from "../markdown.ts";
import { readStatistics, type Statistics } from "./fleet.ts";
import { DEFAULTS } from "./options.ts";
import { type Figures, play, type Scenario, type Way } from "./scenario.ts";

const STATISTICS_MIB = 160;
/** As exact as the prediction needs. */
const FITTINGS = 12;

/** What was measured, and what the simulator says of it. */
interface Comparison {
  readonly core: string;
  readonly setting: string;
  readonly role: "told" | "said";
  readonly measured: RackFigures;
  readonly simulated: Figures;
}

/** A table of what was measured and what is said, and the worst that was said. */
export async function validate(report: InterrackReport): Promise<string> {
  const all: Comparison[] = [];
  for (const { coreMbit, figures } of report.links) {
    for (const gang of figures) {
      const [, level] = /^gang(-\w+)?$/.exec(gang.setting) ?? [undefined, undefined];
      if (!/^gang/.test(gang.setting)) continue;
      const of = (setting: string) =>
        figures.find((one) => one.core === gang.core && one.setting === setting);
      const rack = of(`interrack${level ?? ""}`);
      const plain = level === undefined ? of("default") : undefined;
      all.push(...(await compare(report, coreMbit, { plain, gang, rack })));
    }
  }
  const said = all.filter(({ role }) => role === "said");
  const worst = Math.max(0, ...said.flatMap((one) => errorsOf(one).map(Math.abs)));
  return `${table(all)}\n\nworst of what was said: ${digits(100 * worst)} %`;
}

async function compare(
  { options }: InterrackReport,
  coreMbit: number,
  measured: { plain?: RackFigures | undefined; gang: RackFigures; rack?: RackFigures | undefined },
): Promise<Comparison[]> {
  const { hosts, workloads, memoryMiB, edgeMbit } = options;
  const { plain, gang, rack } = measured;
  let statistics = grown(readStatistics(), memoryMiB / STATISTICS_MIB);
  const scenario = (figures: RackFigures, sharedCores: number): Scenario => ({
    ...DEFAULTS,
    ...{ racks: 2, hosts, guestsPerHost: workloads.length, kinds: workloads.length },
    ...{ isUniform: true, edgeMbit, oversubscription: (hosts * edgeMbit) / coreMbit },
    ...{ serviceMbit: edgeMbit, indexNodes: 1, storeNodes: 1, scale: 4, sharedCores },
    coreLoad: (figures.flowMbit ?? 0) / coreMbit,
  });
  const all: Comparison[] = [];
  const note = (role: "told" | "said", one: RackFigures, simulated: Figures) => {
    all.push({ core: gang.core, setting: one.setting, role, measured: one, simulated });
  };
  const played = async (way: Way, figures: RackFigures, cores: number) =>
    (await play(statistics, scenario(figures, cores), [way]))[0];
  // QEMU does nothing that processors were busy with.
  if (plain) note("said", plain, await played("plain", plain, 1000));
  const first = await played("gang", gang, 1000);
  statistics = dearer(statistics, gang.coreBytes / first.coreBytes);
  const cores = await fitted(gang.totalMs, (some) => played("gang", gang, some));
  note("told", gang, await played("gang", gang, cores));
  if (rack) note("said", rack, await played("rack", rack, cores));
  return all;
}

/** So many processors that it takes so long, or more than it needs. */
async function fitted(ms: number, simulate: (cores: number) => Promise<Figures>): Promise<number> {
  let [few, many] = [0.01, 100];
  for (let i = 0; i < FITTINGS; i++) {
    const middle = Math.sqrt(few * many);
    if ((await simulate(middle)).totalMs > ms) few = middle;
    else many = middle;
  }
  return many;
}

function grown(statistics: Statistics, factor: number): Statistics {
  const workloads = statistics.workloads.map(({ name, ...pages }) => ({
    name,
    zero: pages.zero * factor,
    duplicate: pages.duplicate * factor,
    system: pages.system * factor,
    work: pages.work * factor,
    own: pages.own * factor,
  }));
  return { ...statistics, workloads };
}

function dearer(statistics: Statistics, factor: number): Statistics {
  const { system, work, own } = statistics.wireBytes;
  const wireBytes = { system: system * factor, work: work * factor, own: own * factor };
  return { ...statistics, wireBytes };
}

function errorsOf({ measured, simulated }: Comparison): [number, number] {
  return [simulated.coreBytes / measured.coreBytes - 1, simulated.totalMs / measured.totalMs - 1];
}

function table(all: readonly Comparison[]): string {
  const head = ["core", "setting", "", "core MB", "simulated", "", "total s", "simulated", ""];
  const percent = (part: number) => `${part > 0 ? "+" : ""}${(100 * part).toFixed(1)} %`;
  const rows = all.map((one) => {
    const { core, setting, role, measured, simulated } = one;
    const [bytes, ms] = errorsOf(one).map(percent);
    return [
      ...[core, setting, role],
      ...[digits(measured.coreBytes / 1e6), digits(simulated.coreBytes / 1e6), bytes],
      ...[digits(measured.totalMs / 1000), digits(simulated.totalMs / 1000), ms],
    ];
  });
  return markdownTable(head, rows);
}
