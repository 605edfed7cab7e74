// Looks at images without packing them: what is zero, uniform, seen before, or like something seen
// before. Fingerprints are believed here; nothing is compared byte by byte and nothing is stored.
import { slabPart } from "../core/slab.ts";
import type { Scope } from "../dedup/scope.ts";
import {
  LOOKUP_FOUND,
  LOOKUP_NONE,
  NO_ENTRY,
  SKETCH_CANDIDATES,
  SURVEY_RECORD_BYTES,
  SURVEY_ZERO,
} from "../kernels/abi.ts";
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
  const found = { zero: 0, uniform: 0, duplicateInside: 0, duplicateAcross: 0 };
  const findings = { ...found, similar: 0, distinct: 0 };
  const visit = (slabPtr: number, _frame: number, pageCount: number): void => {
    const part = (name: Parameters<typeof slabPart>[1]): number => slabPart(slabPtr, name);
    const { words, bytes } = arena;
    // The place of an entry is the image that brought it.
    for (let page = 0; page < pageCount; page++) {
      words[part("places") / 4 + page * 2] = image;
      words[part("places") / 4 + page * 2 + 1] = 0;
    }
    scope.lookUp(slabPtr, pageCount);
    kernels.sketchLookup(scope.sketchPtr, part("records"), pageCount, part("similar"));
    for (let page = 0; page < pageCount; page++) {
      const entry = words[part("entries") / 4 + page];
      switch (bytes[part("codes") + page]) {
        case LOOKUP_NONE: {
          const kind = words[(part("records") + page * SURVEY_RECORD_BYTES) / 4];
          if (kind === SURVEY_ZERO) findings.zero++;
          else findings.uniform++;
          break;
        }
        case LOOKUP_FOUND:
          if (scope.ordinalOf(entry) === image) findings.duplicateInside++;
          else findings.duplicateAcross++;
          // Known already, and its sketch too.
          words[part("entries") / 4 + page] = NO_ENTRY;
          break;
        default: {
          findings.distinct++;
          const candidate = words[part("similar") / 4 + page * SKETCH_CANDIDATES];
          if (candidate !== NO_ENTRY) findings.similar++;
        }
      }
    }
    kernels.sketchInsert(scope.sketchPtr, part("records"), part("entries"), pageCount);
    advance(pageCount);
  };
  await surveyInOrder({ arena, pool, slabs }, file, visit, signal);
  return findings;
}
