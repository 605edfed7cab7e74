// Builds the elements of the page. Text is only ever set as text: no name can become markup.
import { KINDS } from "../kindcodes.ts";

type Child = Node | string;

/** An element with attributes (and a class, as `class`) and children. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** A spot of the colour of a kind of pages. */
export function swatch(kind: number): HTMLElement {
  return element("span", { class: `swatch ${KINDS[kind]}`, "aria-hidden": "true" });
}

/** A section with a heading that can be linked to. */
export function section(id: string, title: string, ...children: Child[]): HTMLElement {
  const heading = element("h2", { id: `${id}-title` }, title);
  return element("section", { id, "aria-labelledby": `${id}-title` }, heading, ...children);
}

/** The numbers behind a chart, made when somebody wants to see them. */
export function tableDetails(summary: string, table: () => HTMLTableElement): HTMLElement {
  const details = element("details", {}, element("summary", {}, summary));
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) {
      details.append(scrolling(summary, table()));
    }
  });
  return details;
}

/** What may be wider than the page; it can be reached and scrolled by keyboard. */
export function scrolling(label: string, content: HTMLElement): HTMLElement {
  return element(
    "div",
    { class: "wide", role: "region", tabindex: "0", "aria-label": label },
    content,
  );
}

/** A table whose first column is its row headings. */
export function table(
  caption: string,
  head: readonly string[],
  rows: readonly (readonly string[])[],
): HTMLTableElement {
  const headings = head.map((text) => element("th", { scope: "col" }, text));
  const body = rows.map(([first, ...rest]) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, element("bdi", {}, first)),
      ...rest.map((text) => element("td", {}, text)),
    ),
  );
  return element(
    "table",
    {},
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, ...headings)),
    element("tbody", {}, ...body),
  );
}
