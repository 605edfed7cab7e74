// The pages that are there most often, with some of their bytes.
import type { RepeatedPage } from "../../explainapi.ts";
import type { ReportText } from "../payload.ts";
import { addressOf } from "./address.ts";
import { element, section } from "./elements.ts";
import { bytesText, countedText, hexText, nameText, PAGE_BYTES, shortName } from "./words.ts";

/** Those behind are one click away. */
const SHOWN = 8;
const IMAGES_NAMED = 4;

export function repeatedSection(report: ReportText): HTMLElement {
  const { repeated } = report;
  const title = "Most repeated pages";
  if (repeated.length === 0) {
    return section("repeated", title, element("p", {}, "No page is there twice, zeros aside."));
  }
  const items = repeated.map((page) => itemOf(report, page));
  const note =
    "Pages that are there most often, zeros aside, with their first 64 bytes that are not zero.";
  const made = section(
    "repeated",
    title,
    element("p", {}, note),
    element("ol", { class: "pages" }, ...items.slice(0, SHOWN)),
  );
  if (items.length > SHOWN) {
    const rest = items.slice(SHOWN);
    const list = element("ol", { class: "pages", start: String(SHOWN + 1) }, ...rest);
    made.append(element("details", {}, element("summary", {}, `${rest.length} more`), list));
  }
  return made;
}

function itemOf(report: ReportText, page: RepeatedPage): HTMLElement {
  const { count, isUniform, bytes, byteOffset, first } = page;
  const place = placeOf(report, first);
  const times = element("strong", {}, `${countedText(count, "frame")}`);
  const saved = ` – ${bytesText(count * PAGE_BYTES)} of memory`;
  const what = isUniform ? ", one word over and over" : "";
  const where = element("p", { class: "where" }, ...whereOf(report, page), ` First: ${place}.`);
  const label = `Bytes from ${hexText(byteOffset)} on`;
  const dump = element("pre", { "aria-label": label, tabindex: "0" });
  for (const line of dumpLines(bytes, byteOffset)) dump.append(line);
  return element("li", {}, element("p", {}, times, saved, what), where, dump);
}

function whereOf({ images }: ReportText, page: RepeatedPage): (Node | string)[] {
  const named = page.images
    .slice(0, IMAGES_NAMED)
    .map((image) => shortName(images[image].name, 40));
  const more = page.images.length - named.length;
  const all = page.images.length === images.length && images.length > IMAGES_NAMED;
  if (all) return [`In all ${images.length} images.`];
  const parts: (Node | string)[] = ["In "];
  named.forEach((name, i) => {
    if (i > 0) parts.push(", ");
    parts.push(element("bdi", {}, name));
  });
  return [...parts, more > 0 ? ` and ${more} more.` : "."];
}

function placeOf(report: ReportText, { image, frame }: RepeatedPage["first"]): string {
  const address = addressOf(report.maps[image].addresses, frame);
  const at = address === undefined ? "" : `, address ${hexText(address)}`;
  return `${shortName(nameText(report.images[image].name), 40)}, frame ${hexText(frame)}${at}`;
}

/** Rows of 16 bytes in two halves, which stand below each other where there is no room. */
function dumpLines(bytes: string, byteOffset: number): Node[] {
  const lines: Node[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const pairs = bytes.slice(at, at + 16).match(/../g) ?? [];
    const ascii = pairs.map((pair) => characterOf(Number.parseInt(pair, 16))).join("");
    const offset = (byteOffset + at / 2).toString(16).padStart(3, "0");
    lines.push(
      element(
        "span",
        { class: "half" },
        element("span", { class: "offset" }, `${offset}  `),
        `${pairs.join(" ")}  `,
        element("span", { class: "ascii" }, ascii),
      ),
    );
  }
  return lines;
}

function characterOf(code: number): string {
  return code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : "·";
}
