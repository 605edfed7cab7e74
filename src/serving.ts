// Composes the serving of an archive's images from an engine.
import type { Engine } from "./api.ts";
import { resourcesOf } from "./engine.ts";
import { type ArchiveServer, type ServeOptions, serveImages } from "./serve/serve.ts";

/**
 * Serves images of the archive at `path` read-only, over HTTP and NBD. Resolves when others can
 * connect. An engine with `cacheBytes` of 64 MiB reads deltas faster. USAGE, FORMAT, DAMAGED,
 * RANGE, BASE, CONNECTION.
 */
export function serveArchive(
  engine: Engine,
  path: string,
  options: ServeOptions,
): Promise<ArchiveServer> {
  return serveImages(resourcesOf(engine), path, options);
}
