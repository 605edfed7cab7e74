// The kinds of pages that a report tells apart, in the order in which packing decides. The page in
// the browser uses the same numbers.

export const KINDS = [
  "zero",
  "uniform",
  "duplicateInside",
  "duplicateAcross",
  "similar",
  "compressible",
  "dense",
] as const;

export type Kind = (typeof KINDS)[number];

export const KIND_COUNT = KINDS.length;
