// Composes transfers between hosts from an engine: tunnels for QEMU, and gangs for those who bring
// their own guests and connections.
import type { Engine } from "./api.ts";
import { levelParameters } from "./archive/levels.ts";
import { resourcesOf } from "./engine.ts";
import { GangSource, type GangSourceOptions } from "./migration/gangsource.ts";
import { serveGang } from "./migration/gangtarget.ts";
import type { GangTargetOptions } from "./migration/gangtargetapi.ts";
import type { TunnelLevel, TunnelReport, TunnelSourceOptions } from "./service/tunnelapi.ts";
import { runTunnelSource, type TunnelLevels } from "./service/tunnelsource.ts";
import { runTunnelTarget, type TunnelTargetOptions } from "./service/tunneltarget.ts";

/**
 * Levels that a session changes between by itself. Without compression it would send two and a half
 * times as much as it has to, and a link that waits may still be the one that others wait for.
 */
const STEPS = ["fast", "balanced"] as const;

/**
 * What a guest has changed is a delta against what lies in clusters all over its memory, and both
 * ends decode a whole one to get one page: those of archives are too large, and pages that are
 * alike only in part cost more of the processors, which the guests want, than they save.
 */
const OF_SESSIONS = { clusterPages: 8, sampleBits: 6, minVotes: 2 };

function levelsOf(level: TunnelLevel = "auto"): TunnelLevels {
  const steps = level === "auto" ? STEPS : [level];
  const levels = steps.map((step) => ({ ...levelParameters(step), ...OF_SESSIONS }));
  return { levels, firstLevel: levels.length - 1 };
}

/**
 * The source of a tunnel: QEMUs migrate to the guests' sockets, and reach those at the target.
 * Resolves when every guest has an outcome. USAGE, CONNECTION (the target is not there or refuses).
 */
export function tunnelSource(engine: Engine, options: TunnelSourceOptions): Promise<TunnelReport> {
  return runTunnelSource(resourcesOf(engine), options, levelsOf(options.level));
}

/**
 * The target of a tunnel. Resolves when the session of a source is complete, with `persistent`
 * never. USAGE, CONNECTION, DAMAGED (what the source sent).
 */
export function tunnelTarget(engine: Engine, options: TunnelTargetOptions): Promise<TunnelReport> {
  return runTunnelTarget(resourcesOf(engine), options);
}

/** The source of a gang over a connection of the caller's. CONNECTION when the target refuses. */
export function openGangSource(
  engine: Engine,
  options: Omit<GangSourceOptions, "levels" | "firstLevel"> & { level?: TunnelLevel | undefined },
): Promise<GangSource> {
  return GangSource.open(resourcesOf(engine), { ...options, ...levelsOf(options.level) });
}

/** The target of a gang over a connection of the caller's; resolves when the session is over. */
export function serveGangTarget(engine: Engine, options: GangTargetOptions): Promise<void> {
  return serveGang(resourcesOf(engine), options);
}
