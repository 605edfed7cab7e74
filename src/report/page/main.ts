// The report page: unpacks what the report carries and draws it. Runs in a browser and asks for
// nothing else.
import { inflateSync } from "fflate";
import { decodePayload, type ReportText } from "../payload.ts";
import { element } from "./elements.ts";
import { entropySection } from "./entropysection.ts";
import { imagesSection } from "./imagesection.ts";
import { mapSection } from "./mapsection.ts";
import { repeatedSection } from "./repeatedsection.ts";
import { sharingSection } from "./sharingsection.ts";
import { stepsSection } from "./stepschart.ts";
import { bytesText, countedText, countText, shareText } from "./words.ts";

function build(): void {
  const { text, cells } = decodePayload(inflateSync(payload()));
  const sections = [
    stepsSection(text),
    imagesSection(text),
    mapSection(text, cells),
    sharingSection(text),
    repeatedSection(text),
    entropySection(text, cells),
  ];
  byId("lead").append(...leadOf(text));
  for (const { id, firstElementChild: heading } of sections) {
    byId("contents").append(element("a", { href: `#${id}` }, heading?.textContent ?? id));
  }
  byId("content").append(cardsOf(text), ...sections);
  byId("foot").append(footText(text));
  // Twice: charts are drawn when they are laid out, maps in the frame behind.
  requestAnimationFrame(() =>
    requestAnimationFrame(() => {
      document.documentElement.dataset.drawnMs = performance.now().toFixed(0);
    }),
  );
}

/** The payload in base64 is text to the browser, never a program. */
function payload(): Uint8Array {
  const binary = atob(byId("payload").textContent ?? "");
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

function byId(id: string): HTMLElement {
  return document.getElementById(id) as HTMLElement;
}

function leadOf({ images, steps, outputBytes }: ReportText): string[] {
  const memory = bytesText(steps[0].changeBytes);
  const folded = `folds ${memory} of memory into an archive of ${bytesText(outputBytes)}.`;
  return [`Packing ${countedText(images.length, "image")} ${folded}`];
}

function cardsOf({ images, steps, outputBytes, unlistedPages }: ReportText): HTMLElement {
  const memoryBytes = steps[0].changeBytes;
  const ratio = outputBytes === 0 ? "–" : `${(memoryBytes / outputBytes).toFixed(1)}×`;
  const frames = images.reduce((sum, { frameCount }) => sum + frameCount, 0);
  const stored = images.reduce((sum, { counts }) => sum + counts.compressed + counts.raw, 0);
  const cards: [string, string, string][] = [
    ["Memory", bytesText(memoryBytes), countedText(frames, "page")],
    ["Archive", bytesText(outputBytes), shareText(outputBytes, memoryBytes)],
    ["Smaller by", ratio, "memory to archive"],
    ["Stored pages", shareText(stored, frames), countedText(stored, "page")],
  ];
  const list = element(
    "dl",
    { class: "cards" },
    ...cards.map(([name, value, more]) =>
      element(
        "div",
        {},
        element("dt", {}, name),
        element("dd", {}, element("span", { class: "value" }, value), ` ${more}`),
      ),
    ),
  );
  if (unlistedPages === 0) return list;
  const warning =
    `${countText(unlistedPages)} pages were not looked up, because the table of known pages was ` +
    "full: give pagefold more memory (-M), and it will find more.";
  return element("div", {}, list, element("p", { class: "notice" }, warning));
}

function footText({ elapsedMs }: ReportText): string {
  return (
    `Made by pagefold inspect in ${(elapsedMs / 1000).toFixed(1)} s by packing the images into ` +
    "nothing. The page holds bytes of their memory: share it as carefully as the images."
  );
}

build();
