// Inspects image files together, as packing them together would see them.
import type { InspectReport, OperationOptions } from "../api.ts";
import { FrameMap } from "../core/extent.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { Scope } from "../dedup/scope.ts";
import { type ImageFile, openImageFile } from "../image/open.ts";
import { SCOPE_SHARE } from "../pipeline/fold.ts";
import { inspectFile } from "../pipeline/inspect.ts";
import { type EngineResources, slabCount } from "../pipeline/resources.ts";
import { SlabPool } from "../pipeline/slabs.ts";
import { ProgressMeter } from "./progress.ts";

export async function inspectImages(
  resources: EngineResources,
  inputs: readonly { name: string; path: string }[],
  options: OperationOptions,
): Promise<InspectReport> {
  const began = performance.now();
  const { arena, kernels, pool } = resources;
  const files: ImageFile[] = [];
  const slabs = new SlabPool(arena, slabCount(pool.threads));
  let scope: Scope | undefined;
  try {
    for (const { path } of inputs) files.push(await openImageFile(path));
    const maps = files.map((file) => new FrameMap(file.segments));
    const pageCount = maps.reduce((sum, map) => sum + map.frameCount, 0);
    const memoryBytes = arena.largestFreeBytes * SCOPE_SHARE;
    scope = new Scope(arena, kernels, { memoryBytes, pageCount, hasSketches: true });
    const meter = new ProgressMeter(options.onProgress, pageCount * PAGE_BYTES);
    const images: InspectReport["images"] = [];
    for (const [i, { name, path }] of inputs.entries()) {
      const { fd, format, byteLength } = files[i];
      const map = maps[i];
      const findings = await inspectFile(
        resources,
        slabs,
        scope,
        { name: path, fd, map },
        i,
        (pages) => meter.advance(name, pages * PAGE_BYTES),
        options.signal,
      );
      images.push({ name, format, byteLength, frameCount: map.frameCount, ...findings });
    }
    meter.finish();
    return { images, elapsedMs: performance.now() - began };
  } finally {
    scope?.close();
    slabs.close();
    await Promise.allSettled(files.map((file) => file.close()));
  }
}
