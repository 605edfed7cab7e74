// What is said of a cell of a map.
import { KIND_COUNT } from "../kindcodes.ts";
import type { DrawnMap, MapCells } from "../payload.ts";
import { addressOf } from "./address.ts";
import { bytesText, countedText, countText, hexText, kindWords, PAGE_BYTES } from "./words.ts";

/** Frame, address, kind, entropy. */
export function cellText(map: DrawnMap, cells: MapCells, cell: number): string {
  const { framesPerCell, frameCount, addresses } = map;
  const first = cell * framesPerCell;
  const last = Math.min(first + framesPerCell, frameCount) - 1;
  const address = addressOf(addresses, first);
  const place = [
    first === last
      ? `frame ${hexText(first)} (${countText(first)})`
      : `frames ${hexText(first)}–${hexText(last)} (${countedText(last - first + 1, "page")})`,
    ...(address === undefined ? [] : [`address ${hexText(address)}`]),
    `${bytesText(first * PAGE_BYTES)} in`,
  ];
  return [...place, kindsText(cells, cell), `${cells.entropy(cell).toFixed(1)} bits`].join(" · ");
}

function kindsText(cells: MapCells, cell: number): string {
  const counts = cells.counts(cell);
  const kinds = Array.from({ length: KIND_COUNT }, (_, kind) => kind).filter((k) => counts[k] > 0);
  if (kinds.length === 1) return kindWords(kinds[0]).one;
  kinds.sort((a, b) => counts[b] - counts[a]);
  return kinds.map((kind) => `${countText(counts[kind])} ${kindWords(kind).label}`).join(", ");
}
