// What the names of the compression levels mean.
import type { Level } from "../api.ts";
import { PagefoldError } from "../core/errors.ts";
import { COMPRESS_LZ4, COMPRESS_NONE, COMPRESS_ZSTD, COMPRESS_ZSTD_SMALL } from "../kernels/abi.ts";
import type { LevelParameters } from "../pipeline/level.ts";

export const DEFAULT_LEVEL: Level = "balanced";

const LEVELS: Record<Level, LevelParameters> = {
  store: { clusterPages: 16, compress: COMPRESS_NONE, sampleBits: 6, minVotes: 2 },
  // 64 KiB is what LZ4 can look back on with 16-bit positions.
  fast: { clusterPages: 16, compress: COMPRESS_LZ4, sampleBits: 6, minVotes: 2 },
  // Larger clusters gain 1 % and make a random page dear.
  balanced: { clusterPages: 64, compress: COMPRESS_ZSTD, sampleBits: 4, minVotes: 3 },
  small: { clusterPages: 256, compress: COMPRESS_ZSTD_SMALL, sampleBits: 4, minVotes: 3 },
};

/** What differs from a base is little and worth more effort. */
const AGAINST_BASE: Partial<Record<Level, Partial<LevelParameters>>> = {
  balanced: { compressDeltas: COMPRESS_ZSTD_SMALL },
};

export function levelParameters(level: Level = DEFAULT_LEVEL, isBased = false): LevelParameters {
  const parameters = LEVELS[level];
  const names = Object.keys(LEVELS).join(", ");
  if (!parameters) throw new PagefoldError("USAGE", `level "${level}": one of ${names}`);
  return isBased ? { ...parameters, ...AGAINST_BASE[level] } : parameters;
}
