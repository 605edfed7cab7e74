// Which image shares how much with which: a matrix, and the numbers as a table.
import { cell, plot, text } from "@observablehq/plot";
import type { ReportText } from "../payload.ts";
import { element, section, table, tableDetails } from "./elements.ts";
import { asImage, chart } from "./figure.ts";
import { countText, nameText, shareText, shortName } from "./words.ts";

interface Pair {
  row: string;
  column: string;
  isOwn: boolean;
  share: number;
  label: string;
  title: string;
}

/** Images up to which a cell has room for a number. */
const MAX_LABELLED = 12;

export function sharingSection(report: ReportText): HTMLElement {
  const { images, sharing } = report;
  if (images.length < 2) {
    const lonely = "There is one image, and nothing that it could share with another.";
    return section("sharing", "Who shares with whom", element("p", {}, lonely));
  }
  const pairs = pairsOf(report);
  const names = images.map(({ name }) => nameText(name));
  const head = ["distinct pages", ...names, "only here"];
  const makeTable = () => {
    const rows = images.map((image, i) => [
      names[i],
      ...sharing[i].map(countText),
      countText(image.ownPages),
    ]);
    return table("Distinct pages that two images both have", head, rows);
  };
  return section(
    "sharing",
    "Who shares with whom",
    chart(
      "Of the distinct pages of the image in the row, the part that the image in the column has " +
        "too. On the diagonal: the part that no other image has. Zero and one-word pages do not " +
        "count.",
      (width) => drawPairs(report, pairs, width),
      tableDetails("The pages as a table", makeTable),
    ),
  );
}

function pairsOf({ images, sharing }: ReportText): Pair[] {
  return sharing.flatMap((row, i) =>
    row.map((shared, j) => {
      const isOwn = i === j;
      const count = isOwn ? images[i].ownPages : shared;
      const whole = sharing[i][i];
      const share = whole === 0 ? 0 : count / whole;
      const [own, other] = [nameText(images[i].name), nameText(images[j].name)];
      const pages = `${countText(count)} of ${countText(whole)} distinct pages`;
      const title = `${own}: ${pages} ${isOwn ? "are in no other image" : `are also in ${other}`}`;
      const label = whole === 0 ? "–" : `${Math.round(share * 100)}`;
      return { row: String(i), column: String(j), isOwn, share, label, title };
    }),
  );
}

function drawPairs({ images }: ReportText, pairs: readonly Pair[], width: number): Element {
  const isNarrow = width < 560;
  const keys = images.map((_, i) => String(i));
  const label = (key: string) => shortName(images[Number(key)].name, isNarrow ? 10 : 22);
  const longest = Math.max(...keys.map((key) => [...label(key)].length));
  const margin = Math.min(width / 3, 20 + longest * 7.6);
  const side = Math.min((width - margin - 8) / keys.length, 64);
  const hasTicks = side >= 13;
  const tickFormat = hasTicks ? label : () => "";
  const left = hasTicks ? margin : 8;
  // Names across stand upright as soon as they would run into each other.
  const isUpright = longest * 7.2 > side;
  const top = hasTicks ? (isUpright ? margin : 28) : 8;
  const drawing = plot({
    width: left + 8 + side * keys.length,
    height: top + 8 + side * keys.length,
    marginLeft: left,
    marginTop: top,
    marginRight: 8,
    marginBottom: 8,
    style: { fontSize: side < 20 ? "11px" : "13px" },
    x: {
      axis: "top",
      label: null,
      domain: keys,
      tickFormat,
      tickRotate: isUpright ? -90 : 0,
      tickSize: 0,
      padding: 0,
    },
    y: { label: null, domain: keys, tickFormat, tickSize: 0, padding: 0 },
    opacity: { type: "identity" },
    marks: [
      cell(pairs, {
        x: "column",
        y: "row",
        fill: (pair: Pair) => (pair.isOwn ? "var(--own)" : "var(--duplicateAcross)"),
        fillOpacity: (pair: Pair) => 0.06 + (pair.isOwn ? 0.5 : 0.94) * pair.share,
        inset: side < 8 ? 0 : side < 20 ? 0.5 : 1,
        title: "title",
      }),
      ...(keys.length <= MAX_LABELLED && side >= 26
        ? [
            text(pairs, {
              x: "column",
              y: "row",
              text: (pair: Pair) =>
                side >= 44 && pair.label !== "–" ? `${pair.label} %` : pair.label,
              fill: "currentColor",
              stroke: "var(--surface)",
              strokeWidth: 3,
              pointerEvents: "none",
            }),
          ]
        : []),
    ],
    color: { type: "identity" },
  });
  const [most] = pairs.filter(({ isOwn }) => !isOwn).sort((a, b) => b.share - a.share);
  const said = `Matrix of shared pages. Most: ${most.title}, ${shareText(most.share, 1)}`;
  return asImage(drawing, said);
}
