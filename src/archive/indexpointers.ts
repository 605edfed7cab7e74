// Lists of index pointers, which cover frames or clusters from 0 on.
import { PagefoldError } from "../core/errors.ts";
import type { IndexPointer } from "../wire/indexhead.ts";

/** Where the last one ends. */
export function coveredBy(pointers: readonly IndexPointer[]): number {
  const last = pointers.at(-1);
  return last ? last.first + last.count : 0;
}

/** DAMAGED, naming `what`, unless all `count` are covered. */
export function checkCovered(pointers: readonly IndexPointer[], count: number, what: string): void {
  const covered = coveredBy(pointers);
  if (covered !== count) {
    throw new PagefoldError("DAMAGED", `directory: ${covered} of ${count} ${what}`);
  }
}

/** The pointer that covers `wanted`; pointers cover everything from 0 on without gap. */
export function pointerAt(pointers: readonly IndexPointer[], wanted: number): IndexPointer {
  let low = 0;
  let high = pointers.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (pointers[middle].first <= wanted) low = middle;
    else high = middle - 1;
  }
  return pointers[low];
}
