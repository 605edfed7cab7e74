// The simulator against bench:interrack. It is told the bytes of QEMU's default and of the gang,
// and the gang's time of processors, which all hosts share there with their guests. With that it
// has to say how long both take, and what the rack does.
import type { InterrackReport } from "../interrack/report.ts";
import type { RackFigures } from "../interrack/trial.ts";
import { digits, markdownTable } from "../markdown.ts";
import { readStatistics, type Statistics } from "./fleet.ts";
import { DEFAULTS } from "./options.ts";
import { type Figures, play, type Scenario, type Way } from "./scenario.ts";

const STATISTICS_MIB = 160;
/**
 * What tunnels and servers get of processors that QEMUs want as well: 1.2 to 1.28 of two in all
 * runs in which nothing else was scarce.
 */
const TUNNELS_SHARE = 0.62;

/** What was measured, and what the simulator says of it. */
interface Comparison {
  readonly core: string;
  readonly setting: string;
  /** Whether the bytes were told. */
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
  const worst = Math.max(0, ...all.flatMap((one) => errorsOf(one).map(Math.abs)));
  return `${table(all)}\n\nworst of what was said: ${digits(100 * worst)} %`;
}

async function compare(
  { options, machine }: InterrackReport,
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
  // QEMU does nothing that processors were busy with, and sends what guests write again and again.
  if (plain) {
    const once = await played("plain", plain, 1000);
    const again = grown(statistics, plain.coreBytes / once.coreBytes);
    note("told", plain, (await play(again, scenario(plain, 1000), ["plain"]))[0]);
  }
  const first = await played("gang", gang, 1000);
  statistics = dearer(statistics, gang.coreBytes / first.coreBytes);
  const dearness = (1000 * (gang.tunnelCpuSeconds ?? 0)) / first.cpuMs || 1;
  const cores = (machine.cores * TUNNELS_SHARE) / dearness;
  note("told", gang, await played("gang", gang, cores));
  if (rack) note("said", rack, await played("rack", rack, cores));
  return all;
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

/** Of bytes and time. */
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
