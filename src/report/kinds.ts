// Tells the kind of a page from what became of it and how varied its bytes are.
import { ENTROPY_PER_BIT } from "../kernels/layout.ts";
import { PageFate } from "../pipeline/observer.ts";
import { KINDS } from "./kindcodes.ts";

/** Of stored pages, those of so much entropy are dense: coding their bytes saves a sixteenth. */
const DENSE_BITS = 7.5;

const COMPRESSIBLE = KINDS.indexOf("compressible");
export const DENSE = KINDS.indexOf("dense");

/** Fates other than stored are kinds, by the same number. */
export function kindOf(fate: number, entropy: number): number {
  if (fate !== PageFate.STORED) return fate;
  return entropy >= DENSE_BITS * ENTROPY_PER_BIT ? DENSE : COMPRESSIBLE;
}
