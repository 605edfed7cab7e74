// Of what kinds the pages of each image are: a bar and a row of a table for each image.
import { barX, plot, ruleX } from "@observablehq/plot";
import type { ExplainedImage } from "../../explainapi.ts";
import { KIND_COUNT, KINDS } from "../kindcodes.ts";
import type { ReportText } from "../payload.ts";
import { element, section, swatch, table, tableDetails } from "./elements.ts";
import { asImage, chart } from "./figure.ts";
import {
  axisUnit,
  bytesText,
  kindWords,
  nameText,
  PAGE_BYTES,
  shareText,
  shortName,
  tickText,
} from "./words.ts";

const KIND_NUMBERS = Array.from({ length: KIND_COUNT }, (_, kind) => kind);

/** Frames of an image by kind. */
export function kindCounts({ counts, densePages }: ExplainedImage): number[] {
  const { zero, uniform, duplicateInside, duplicateAcross, similar, compressed, raw } = counts;
  const stored = compressed + raw - densePages;
  return [zero, uniform, duplicateInside, duplicateAcross, similar, stored, densePages];
}

export function imagesSection({ images }: ReportText): HTMLElement {
  const head = ["image", "format", "size", ...KIND_NUMBERS.map((k) => kindWords(k).label), "adds"];
  const rows = images.map((image) => [
    nameText(image.name),
    [image.format, image.decompressed].filter(Boolean).join(", "),
    bytesText(image.byteLength),
    ...kindCounts(image).map((count) => shareText(count, image.frameCount)),
    bytesText(image.storedBytes),
  ]);
  const makeTable = () => table("Pages of each image by kind, and the bytes it adds", head, rows);
  return section(
    "images",
    "Image by image",
    legend(),
    chart(
      "What packing makes of the pages. A shared page counts for the first image that has it.",
      (width) => drawImages(images, width),
      tableDetails("The images as a table", makeTable),
    ),
  );
}

function legend(): HTMLElement {
  const items = KIND_NUMBERS.map((kind) =>
    element("li", { title: kindWords(kind).meaning }, swatch(kind), kindWords(kind).label),
  );
  return element("ul", { class: "legend", "aria-label": "Kinds of pages" }, ...items);
}

interface Part {
  image: string;
  kind: number;
  from: number;
  to: number;
}

function drawImages(images: readonly ExplainedImage[], width: number): Element {
  const most = Math.max(1, ...images.map(({ frameCount }) => frameCount * PAGE_BYTES));
  const { unit, size } = axisUnit(most);
  const isNarrow = width < 560;
  const keys = images.map((_, i) => String(i));
  const parts = images.flatMap((image, i) => partsOf(image, keys[i], size));
  const label = (key: string) => shortName(images[Number(key)].name, isNarrow ? 13 : 24);
  const longest = Math.max(...keys.map((key) => [...label(key)].length));
  const drawing = plot({
    width,
    height: images.length * (images.length > 16 ? 20 : 30) + 44,
    marginLeft: Math.min(width / 3, 20 + longest * 7.6),
    marginRight: 16,
    marginTop: 4,
    marginBottom: 40,
    style: { fontSize: isNarrow ? "12px" : "13px" },
    x: {
      label: `${unit} →`,
      labelAnchor: "right",
      ticks: isNarrow ? 3 : 6,
      tickFormat: tickText,
      domain: [0, most / size],
    },
    y: { label: null, domain: keys, padding: 0.25, tickSize: 0, tickFormat: label },
    marks: [
      barX(parts, {
        x1: "from",
        x2: "to",
        y: "image",
        fill: (part: Part) => `var(--${KINDS[part.kind]})`,
        title: (part: Part) => titleOf(images[Number(part.image)], part.kind),
      }),
      ruleX([0]),
    ],
    color: { type: "identity" },
  });
  return asImage(drawing, "Stacked bars of the kinds of pages in each image; numbers in the table");
}

function partsOf(image: ExplainedImage, key: string, size: number): Part[] {
  let at = 0;
  return kindCounts(image).map((count, kind) => {
    const from = at;
    at += (count * PAGE_BYTES) / size;
    return { image: key, kind, from, to: at };
  });
}

function titleOf(image: ExplainedImage, kind: number): string {
  const count = kindCounts(image)[kind];
  const share = shareText(count, image.frameCount);
  const what = `${kindWords(kind).label} ${bytesText(count * PAGE_BYTES)}, ${share}`;
  return `${nameText(image.name)}: ${what}`;
}
