// What the names of the compression levels mean.
import type { Level } from "../api.ts";
import { PagefoldError } from "../core/errors.ts";
import type { LevelParameters } from "../pipeline/pipeline.ts";

export const DEFAULT_LEVEL: Level = "fast";

const LEVELS: Record<Level, LevelParameters> = {
  // 64 KiB is what LZ4 can look back on with 16-bit positions.
  fast: { clusterPages: 16, compress: true, sampleBits: 6, minVotes: 2 },
  store: { clusterPages: 16, compress: false, sampleBits: 6, minVotes: 2 },
};

export function levelParameters(level: Level = DEFAULT_LEVEL): LevelParameters {
  const parameters = LEVELS[level];
  if (!parameters) throw new PagefoldError("USAGE", `level "${level}": fast or store`);
  return parameters;
}
