// Charts of a report of the simulator; runs in a browser, see picture.ts.
import { dot, lineY, plot, ruleY } from "@observablehq/plot";
import type { SimReport } from "./report.ts";
import type { Figures, Scenario } from "./scenario.ts";

type Point = Figures & Scenario;

interface Chart {
  title: string;
  note: string;
  label: string;
  value: (point: Point) => number;
  /** Of the rack way alone. */
  isOfRack?: boolean;
}

const CHARTS: readonly Chart[] = [
  {
    title: "Bytes over the core",
    note: "per host that is emptied",
    label: "MB per host",
    value: ({ coreBytes, hosts }) => coreBytes / hosts / 1e6,
  },
  {
    title: "Total time",
    note: "until the last host is empty",
    label: "seconds",
    value: ({ totalMs }) => totalMs / 1000,
  },
  {
    title: "Load of the busiest index",
    note: "digests a second that it is asked about or told of",
    label: "thousand digests/s",
    value: ({ indexDigestsPerSecond }) => indexDigestsPerSecond / 1000,
    isOfRack: true,
  },
  {
    title: "Load of the busiest store",
    note: "part of the time that its nodes are busy",
    label: "% busy",
    value: ({ storeBusy }) => 100 * storeBusy,
    isOfRack: true,
  },
];

const AXES: Readonly<Record<string, { label: string; x: (point: Point) => number }>> = {
  hosts: { label: "hosts", x: ({ hosts }) => hosts },
  oversubscription: { label: "oversubscription", x: (point) => point.oversubscription },
  nodes: { label: "nodes of index and of store", x: ({ indexNodes }) => indexNodes },
};

function pointsOf({ outcomes }: SimReport["series"][number]): Point[] {
  return outcomes.flatMap(({ scenario, figures }) =>
    figures.map((one) => ({ ...scenario, ...one })),
  );
}

function draw(points: readonly Point[], { value, label, isOfRack }: Chart, axis: string) {
  const { x, label: xLabel } = AXES[axis];
  const shown = isOfRack ? points.filter(({ way }) => way === "rack") : [...points];
  const marks = { x, y: value, stroke: "way" };
  return plot({
    width: 480,
    height: 260,
    marginLeft: 55,
    x: { type: "log", label: xLabel, ticks: [...new Set(points.map(x))], tickFormat: "~s" },
    y: { label, grid: true, zero: true },
    color: { domain: ["plain", "gang", "rack"], legend: !isOfRack },
    marks: [ruleY([0]), lineY(shown, marks), dot(shown, { ...marks, fill: "way" })],
  });
}

function element(tag: string, ...content: (string | Node)[]): HTMLElement {
  const made = document.createElement(tag);
  made.append(...content);
  return made;
}

const text = document.getElementById("report")?.textContent ?? "";
const report: SimReport = JSON.parse(text);
const main = document.querySelector("main");
main?.append(element("p", report.statistics));
for (const series of report.series) {
  const points = pointsOf(series);
  const grid = element("div");
  grid.style.cssText = "display: grid; grid-template-columns: 1fr 1fr; gap: 1em";
  for (const chart of CHARTS) {
    const title = element("h2", chart.title);
    grid.append(
      element("figure", title, element("p", chart.note), draw(points, chart, series.title)),
    );
  }
  main?.append(element("h1", `By ${AXES[series.title].label}`), grid);
}
