// A map of every image: a cell for each page or region, coloured by kind. The legend shows one kind
// alone when it is pressed.
import { KIND_COUNT, KINDS } from "../kindcodes.ts";
import type { DrawnMap, MapCells, ReportText } from "../payload.ts";
import { element, section, swatch } from "./elements.ts";
import { cellText } from "./maptext.ts";
import { MapCanvas } from "./mapview.ts";
import { bytesText, countedText, kindWords, nameText, PAGE_BYTES } from "./words.ts";

/** With more images than this, each map is a flat strip. */
const MANY_IMAGES = 8;
const PROMPT = "Point at a cell, or focus the map and use the arrow keys.";

export function mapSection(report: ReportText, cells: readonly MapCells[]): HTMLElement {
  const maps: MapCanvas[] = [];
  const figures = report.images.map((_, i) => mapFigure(report, cells[i], i, maps));
  let only: number | undefined;
  const paint = (): void => {
    const { colors, lines } = paletteOf();
    for (const map of maps) map.paint(colors, only, lines);
  };
  const legend = legendOf((kind) => {
    only = kind;
    paint();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
  // Colours are known when the page is in the document.
  requestAnimationFrame(paint);
  const keys =
    "Arrow keys move from cell to cell, Page Up and Page Down by a screen, Home and End to the " +
    "ends; + and − enlarge, 0 shows everything. The wheel enlarges a map that was clicked, or " +
    "with Ctrl; on a touch screen two fingers do.";
  return section(
    "map",
    "Page by page",
    element("p", {}, "Memory from left to right and top to bottom. Press a kind to see it alone."),
    legend,
    ...figures,
    element("p", { id: "map-keys", class: "note" }, keys),
  );
}

function mapFigure(
  { images, maps }: ReportText,
  cells: MapCells,
  index: number,
  made: MapCanvas[],
): HTMLElement {
  const map = maps[index];
  const name = nameText(images[index].name);
  if (map.frameCount === 0) {
    return element("figure", {}, element("figcaption", {}, `${name}: has no pages`));
  }
  const told = element("output", { class: "told" }, PROMPT);
  const place = element("div", { class: "map" });
  const scale = element("span");
  const canvas = new MapCanvas(place, {
    label: `Map of ${name}`,
    kinds: cells.kinds,
    count: images.length,
    aspect: (width) => (width < 560 ? 1.25 : 4) * (images.length > MANY_IMAGES ? 4 : 1),
    describe: (cell) => {
      told.textContent = cell === undefined ? PROMPT : cellText(map, cells, cell);
    },
    laidOut: (columns) => {
      scale.textContent = scaleText(map, columns);
    },
  });
  made.push(canvas);
  const strong = element("strong", {}, element("bdi", {}, name));
  const title = element("span", { class: "title" }, strong, scale);
  const caption = element("figcaption", {}, title, toolsOf(canvas, name));
  return element("figure", { class: "map-figure" }, caption, place, told);
}

function scaleText({ frameCount, framesPerCell }: DrawnMap, columns: number): string {
  const row = bytesText(framesPerCell * columns * PAGE_BYTES);
  const cell = framesPerCell === 1 ? "a page" : countedText(framesPerCell, "page");
  return `${bytesText(frameCount * PAGE_BYTES)}; a cell is ${cell}, a row ${row}`;
}

function toolsOf(canvas: MapCanvas, name: string): HTMLElement {
  const button = (text: string, label: string, action: () => void) => {
    const made = element("button", { type: "button", "aria-label": `${label}: ${name}` }, text);
    made.addEventListener("click", action);
    return made;
  };
  return element(
    "span",
    { class: "tools", role: "group", "aria-label": `Enlarge ${name}` },
    button("−", "Smaller", () => canvas.zoomBy(1 / 2)),
    button("+", "Larger", () => canvas.zoomBy(2)),
    button("Whole", "Show the whole map", () => canvas.showWhole()),
  );
}

function legendOf(choose: (kind: number | undefined) => void): HTMLElement {
  const buttons = Array.from({ length: KIND_COUNT }, (_, kind) => {
    const { label, meaning } = kindWords(kind);
    return element(
      "button",
      { type: "button", "aria-pressed": "false", title: meaning },
      swatch(kind),
      label,
    );
  });
  buttons.forEach((button, kind) => {
    button.addEventListener("click", () => {
      const isPressed = button.getAttribute("aria-pressed") !== "true";
      for (const other of buttons) other.setAttribute("aria-pressed", "false");
      button.setAttribute("aria-pressed", String(isPressed));
      choose(isPressed ? kind : undefined);
    });
  });
  return element(
    "div",
    { class: "legend", role: "group", "aria-label": "Kinds of pages" },
    ...buttons,
  );
}

/** The colours that the style sheet has for kinds, for what is not shown, and for lines. */
function paletteOf() {
  const style = getComputedStyle(document.documentElement);
  const value = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const colors = [...KINDS, "faded"].map((name) => rgbOf(value(name)));
  return { colors, lines: value("surface") };
}

/** "#rrggbb" as three numbers. */
function rgbOf(color: string): [number, number, number] {
  const code = Number.parseInt(color.slice(1), 16);
  return [code >> 16, (code >> 8) & 255, code & 255];
}
