// Charts that are drawn anew when their width changes.
import { element } from "./elements.ts";

/** What draws a chart of a width in CSS pixels. */
export type Draw = (width: number) => Element;

/** With more images than this, what is drawn for each of them waits until it is nearly seen. */
const DRAWN_AT_ONCE = 8;
const NEARLY_SEEN = "1200px";

/** A figure with a caption; `draw` is called as soon as it has a width. */
export function chart(caption: string, draw: Draw, ...rest: Node[]): HTMLElement {
  const place = element("div", { class: "chart" });
  onWidth(place, (width) => place.replaceChildren(draw(width)));
  return element("figure", {}, element("figcaption", {}, caption), place, ...rest);
}

/** Calls `use` with the width of an element, first when it is laid out and then when it changes. */
export function onWidth(place: HTMLElement, use: (width: number) => void): void {
  let last = 0;
  new ResizeObserver(() => {
    const width = Math.floor(place.clientWidth);
    if (width === last || width === 0) return;
    last = width;
    use(width);
  }).observe(place);
}

/** Calls `begin` at once, or, for one of many, when `place` is nearly seen or is to be printed. */
export function whenWanted(place: HTMLElement, count: number, begin: () => void): void {
  if (count <= DRAWN_AT_ONCE) {
    begin();
    return;
  }
  const observer = new IntersectionObserver(
    (entries) => {
      if (entries.some(({ isIntersecting }) => isIntersecting)) start();
    },
    { rootMargin: NEARLY_SEEN },
  );
  const start = (): void => {
    observer.disconnect();
    window.removeEventListener("beforeprint", start);
    begin();
  };
  window.addEventListener("beforeprint", start);
  observer.observe(place);
}

/** Makes a drawing one image to those who do not see it; the numbers are in a table. */
export function asImage<T extends Element>(drawing: T, label: string): T {
  drawing.setAttribute("role", "img");
  drawing.setAttribute("aria-label", label);
  return drawing;
}
