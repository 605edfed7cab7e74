// How varied the bytes are along each image: a strip for each, and the numbers as a table.
import { areaY, lineY, plot, ruleY } from "@observablehq/plot";
import type { DrawnMap, MapCells, ReportText } from "../payload.ts";
import { element, section, table, tableDetails } from "./elements.ts";
import { asImage, onWidth, whenWanted } from "./figure.ts";
import { axisUnit, bytesText, nameText, PAGE_BYTES, tickText } from "./words.ts";

const DENSE_BITS = 7.5;
const TABLE_ROWS = 32;
/** Narrower than this, a region would be less than a pixel or two. */
const PIXELS_PER_REGION = 2;

export function entropySection(report: ReportText, cells: readonly MapCells[]): HTMLElement {
  const strips = report.images.map(({ name }, i) => {
    const map = report.maps[i];
    const title = nameText(name);
    const makeTable = () => {
      const rows = regionsOf(map, cells[i], TABLE_ROWS).map(({ start, end, bits }) => [
        `${bytesText(start)} – ${bytesText(end)}`,
        bits.toFixed(2),
      ]);
      return table(`Mean entropy of ${title}`, ["range", "bits a byte"], rows);
    };
    const place = element("div", { class: "chart" });
    whenWanted(place, report.images.length, () =>
      onWidth(place, (width) => place.replaceChildren(drawStrip(title, map, cells[i], width))),
    );
    const caption = element("figcaption", {}, element("bdi", {}, title));
    const details = tableDetails("As a table", makeTable);
    return element("figure", { class: "strip" }, caption, place, details);
  });
  const note =
    "Mean Shannon entropy of the bytes of a page, from 0 bits (all alike) to 8 (all equally " +
    "often). Text has 4 to 5, code about 6; from the dashed line at 7.5 on, pages are " +
    "compressed or encrypted already.";
  return section("entropy", "Entropy along the image", element("p", {}, note), ...strips);
}

interface Region {
  start: number;
  end: number;
  bits: number;
}

/** Means over at most `limit` regions, in bytes of memory. */
function regionsOf(map: DrawnMap, cells: MapCells, limit: number): Region[] {
  const { cellCount, framesPerCell, frameCount } = map;
  const step = Math.max(1, Math.ceil(cellCount / limit));
  const regions: Region[] = [];
  for (let cell = 0; cell < cellCount; cell += step) {
    let sum = 0;
    const end = Math.min(cell + step, cellCount);
    for (let at = cell; at < end; at++) sum += cells.entropy(at);
    const frames = Math.min(end * framesPerCell, frameCount);
    const start = cell * framesPerCell * PAGE_BYTES;
    regions.push({ start, end: frames * PAGE_BYTES, bits: sum / (end - cell) });
  }
  return regions;
}

function drawStrip(title: string, map: DrawnMap, cells: MapCells, width: number): Element {
  const bytes = map.frameCount * PAGE_BYTES;
  const { unit, size } = axisUnit(bytes);
  const regions = regionsOf(map, cells, Math.max(16, width / PIXELS_PER_REGION));
  // A region is a step: it begins at its start and lasts until its end.
  const corners = regions.flatMap(({ start, end, bits }) => [
    { at: start / size, bits },
    { at: end / size, bits },
  ]);
  const drawing = plot({
    width,
    height: 118,
    marginLeft: 28,
    marginRight: 12,
    marginTop: 8,
    marginBottom: 36,
    x: {
      label: `${unit} →`,
      labelAnchor: "right",
      ticks: width < 560 ? 4 : 8,
      tickFormat: tickText,
      domain: [0, bytes / size],
    },
    y: { label: null, domain: [0, 8], ticks: [0, 4, 8], tickFormat: tickText, grid: true },
    marks: [
      areaY(corners, {
        x: "at",
        y1: 0,
        y2: "bits",
        fill: "var(--duplicateAcross)",
        fillOpacity: 0.25,
      }),
      lineY(corners, { x: "at", y: "bits", stroke: "var(--duplicateAcross)", strokeWidth: 1 }),
      ruleY([DENSE_BITS], { stroke: "var(--dense)", strokeDasharray: "4 3" }),
    ],
  });
  return asImage(drawing, `Entropy along ${title}; numbers in the table`);
}
