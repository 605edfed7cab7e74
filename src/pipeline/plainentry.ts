// Which table entry a page of an emitted batch can be referred to by later on.
import type { Arena } from "../core/arena.ts";
import { Outcome, PLAN_BYTES, slabPart } from "../core/slab.ts";
import type { Scope } from "../dedup/scope.ts";
import { LOOKUP_FULL, NO_ENTRY } from "../kernels/abi.ts";

/** The entry of a page whose content is stored without references, now or before, or NO_ENTRY. */
export function plainEntry(arena: Arena, scope: Scope, slabPtr: number, page: number): number {
  const { words, bytes } = arena;
  const outcome = words[(slabPart(slabPtr, "plan") + page * PLAN_BYTES + 8) / 4];
  if (outcome !== Outcome.STORED && outcome !== Outcome.EQUAL) return NO_ENTRY;
  if (bytes[slabPart(slabPtr, "codes") + page] === LOOKUP_FULL) return NO_ENTRY;
  const entry = words[slabPart(slabPtr, "entries") / 4 + page];
  const slot = scope.slotOf(entry);
  return slot && !slot.isDeltas ? entry : NO_ENTRY;
}
