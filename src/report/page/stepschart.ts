// From the memory of all images to the archive: a bar for each step, and the numbers as a table.
import { barX, plot, ruleX, text } from "@observablehq/plot";
import type { ExplainedStep } from "../../explainapi.ts";
import type { ReportText } from "../payload.ts";
import { section, table, tableDetails } from "./elements.ts";
import { asImage, chart } from "./figure.ts";
import { axisUnit, bytesText, shareText, tickText } from "./words.ts";

interface Step {
  label: string;
  color: string;
  meaning: string;
}

const STEPS: Record<string, Step> = {
  memory: { label: "memory", color: "--total", meaning: "all frames of all images" },
  zero: { label: "zero", color: "--zero-ink", meaning: "pages of nothing but zeros" },
  uniform: { label: "one word", color: "--uniform", meaning: "pages of one repeated word" },
  duplicateInside: {
    label: "duplicates",
    color: "--duplicateInside",
    meaning: "equal to an earlier page of the same image",
  },
  duplicateAcross: {
    label: "shared",
    color: "--duplicateAcross",
    meaning: "equal to a page of an earlier image",
  },
  similar: { label: "similar", color: "--similar", meaning: "what deltas save" },
  compression: {
    label: "compression",
    color: "--compressible",
    meaning: "of what is left: pages and deltas",
  },
  overhead: { label: "overhead", color: "--own", meaning: "heads, checksums and index" },
  archive: { label: "archive", color: "--total", meaning: "what pack would write" },
};

interface Bar extends Step {
  from: number;
  to: number;
  note: string;
}

export function stepsSection({ steps, outputBytes }: ReportText): HTMLElement {
  const memoryBytes = steps[0].changeBytes;
  const taken = steps.filter(({ changeBytes }) => changeBytes !== 0);
  const bars = [...taken.map((step) => barOf(step)), archiveBar(outputBytes)];
  const draw = (width: number) => drawSteps(bars, memoryBytes, width);
  const rows = steps.map(({ name, changeBytes, leftBytes }) => [
    STEPS[name].label,
    bytesText(changeBytes),
    shareText(Math.abs(changeBytes), memoryBytes),
    bytesText(leftBytes),
    STEPS[name].meaning,
  ]);
  const head = ["step", "change", "of memory", "left", "what it is"];
  return section(
    "steps",
    "Step by step",
    chart(
      "Each step takes its pages away from what is left; what remains is the archive.",
      draw,
      tableDetails("The steps as a table", () => table("From memory to archive", head, rows)),
    ),
  );
}

function barOf({ name, changeBytes, leftBytes }: ExplainedStep): Bar {
  const before = leftBytes - changeBytes;
  const from = Math.min(before, leftBytes);
  return { ...STEPS[name], from, to: Math.max(before, leftBytes), note: bytesText(changeBytes) };
}

function archiveBar(outputBytes: number): Bar {
  return { ...STEPS.archive, from: 0, to: outputBytes, note: bytesText(outputBytes) };
}

function drawSteps(bars: readonly Bar[], memoryBytes: number, width: number): Element {
  const { unit, size } = axisUnit(memoryBytes);
  const isNarrow = width < 560;
  const fontSize = isNarrow ? 12 : 13;
  const share = (bar: Bar) => shareText(bar.to - bar.from, memoryBytes);
  const note = (bar: Bar) => (isNarrow ? bar.note : `${bar.note}  ·  ${share(bar)}`);
  const drawing = plot({
    width,
    height: bars.length * 30 + 44,
    marginLeft: isNarrow ? 88 : 104,
    marginRight: isNarrow ? 76 : 150,
    marginTop: 4,
    marginBottom: 40,
    style: { fontSize: `${fontSize}px` },
    x: {
      label: `${unit} left →`,
      labelAnchor: "right",
      grid: true,
      ticks: isNarrow ? 3 : 6,
      tickFormat: tickText,
    },
    y: { label: null, domain: bars.map(({ label }) => label), padding: 0.25, tickSize: 0 },
    marks: [
      barX(bars, {
        x1: (bar: Bar) => bar.from / size,
        x2: (bar: Bar) => bar.to / size,
        y: "label",
        fill: (bar: Bar) => `var(${bar.color})`,
        // A step of a page or two is still a step.
        insetRight: -1,
      }),
      text(bars, {
        x: (bar: Bar) => bar.to / size,
        y: "label",
        text: note,
        textAnchor: "start",
        dx: 7,
        fill: "currentColor",
      }),
      ruleX([0]),
    ],
    color: { type: "identity" },
  });
  const said = bars.map((bar) => `${bar.label} ${bar.note}`).join(", ");
  return asImage(drawing, `Bars from memory to archive: ${said}`);
}
