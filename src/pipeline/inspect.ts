// Looks at images without packing them: what is zero, uniform, seen before, or like something seen
// before. Fingerprints are believed here; nothing is compared byte by byte and nothing is stored.
import { slabPart } from "../core/slab.ts";
import type { Scope } from "../dedup/scope.ts";
import type { EngineResources } from "./resources.ts";
import type { SlabPool } from "./slabs.ts";
import { type SurveyedFile, surveyInOrder } from "./surveyed.ts";

/** Pages of one image by what was found. */
export interface Findings {
  zero: number;
  uniform: number;
  duplicateInside: number;
  duplicateAcross: number;
  similar: number;
  distinct: number;
}

const FINDINGS_BYTES = 6 * 4;

/** Surveys a file; `image` tells its pages from those of others in the same scope. */
export async function inspectFile(
  resources: EngineResources,
  slabs: SlabPool,
  scope: Scope,
  file: SurveyedFile,
  image: number,
  advance: (pages: number) => void,
  signal: AbortSignal | undefined,
): Promise<Findings> {
  const { arena, kernels, pool } = resources;
  const region = arena.reserve(FINDINGS_BYTES, "findings");
  const counts = arena.words.subarray(region.ptr / 4, (region.ptr + FINDINGS_BYTES) / 4);
  counts.fill(0);
  const visit = (slabPtr: number, _frame: number, pageCount: number): void => {
    kernels.inspectPages(
      scope.tablePtr,
      scope.sketchPtr,
      slabPart(slabPtr, "records"),
      slabPart(slabPtr, "fingerprints"),
      pageCount,
      image,
      slabPart(slabPtr, "places"),
      slabPart(slabPtr, "entries"),
      slabPart(slabPtr, "codes"),
      slabPart(slabPtr, "similar"),
      region.ptr,
    );
    advance(pageCount);
  };
  try {
    await surveyInOrder({ arena, pool, slabs }, file, visit, signal);
    const [zero, uniform, duplicateInside, duplicateAcross, similar, distinct] = counts;
    return { zero, uniform, duplicateInside, duplicateAcross, similar, distinct };
  } finally {
    arena.release(region);
  }
}
