// Inspects image files together, as packing them together would see them.
import type { InspectOptions, InspectReport } from "../api.ts";
import { FrameMap, frameCountOf } from "../core/extent.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { Scope } from "../dedup/scope.ts";
import { Containers } from "../image/containers/containers.ts";
import type { ImagePath } from "../image/inputs.ts";
import { openImage, openImageFile } from "../image/open.ts";
import type { ForwardImage, ImageFile } from "../image/opened.ts";
import { SCOPE_SHARE } from "../pipeline/fold.ts";
import { type Findings, inspectFile } from "../pipeline/inspect.ts";
import { type EngineResources, slabCount } from "../pipeline/resources.ts";
import { SlabPool } from "../pipeline/slabs.ts";
import type { SurveyedFile } from "../pipeline/surveyed.ts";
import { ProgressMeter } from "./progress.ts";
import { windowsOf } from "./window.ts";

type OpenInput = ImageFile | ForwardImage;

export async function inspectImages(
  resources: EngineResources,
  inputs: readonly ImagePath[],
  options: InspectOptions & { wasm?: Uint8Array | URL | undefined },
): Promise<InspectReport> {
  const began = performance.now();
  const { arena, kernels, pool } = resources;
  const { decompress = true, wasm, signal } = options;
  const containers = decompress ? new Containers(wasm) : undefined;
  const files: OpenInput[] = [];
  const slabs = new SlabPool(arena, slabCount(pool.threads));
  let scope: Scope | undefined;
  try {
    for (const { path, decompress: own = true } of inputs) {
      const isAsItIs = !containers || !own;
      files.push(await (isAsItIs ? openImageFile(path) : openImage(path, containers, signal)));
    }
    const pageCount = totalPages(files);
    const memoryBytes = arena.largestFreeBytes * SCOPE_SHARE;
    const known = new Scope(arena, kernels, { memoryBytes, pageCount, hasSketches: true });
    scope = known;
    const meter = new ProgressMeter(options.onProgress, pageCount && pageCount * PAGE_BYTES);
    const images: InspectReport["images"] = [];
    for (const [i, { name }] of inputs.entries()) {
      const advance = (pages: number): void => meter.advance(name, pages * PAGE_BYTES);
      const inspect = (file: SurveyedFile) =>
        inspectFile(resources, slabs, known, file, i, advance, signal);
      images.push({ name, ...(await inspectImage(files[i], inspect, signal)) });
    }
    meter.finish();
    return { images, elapsedMs: performance.now() - began };
  } finally {
    scope?.close();
    slabs.close();
    await Promise.allSettled(files.map((file) => file.close()));
  }
}

type ImageFound = Omit<InspectReport["images"][number], "name">;

async function inspectImage(
  image: OpenInput,
  inspect: (file: SurveyedFile) => Promise<Findings>,
  signal: AbortSignal | undefined,
): Promise<ImageFound> {
  const { path, format } = image;
  const { decompressed, kernelRelease, regions = [] } = image;
  const known = {
    ...(decompressed ? { decompressed } : {}),
    ...(kernelRelease ? { kernelRelease } : {}),
    ...(regions.length > 0 ? { rangeCount: regions.length } : {}),
  };
  if (image.fd !== undefined) {
    const { fd, byteLength } = image;
    const map = new FrameMap(image.segments);
    const findings = await inspect({ name: path, fd, map });
    return { format, byteLength, frameCount: map.frameCount, ...findings, ...known };
  }
  const total: Findings = { ...NOTHING };
  let frameCount = 0;
  let contentBytes = 0;
  for await (const window of windowsOf(image, signal)) {
    const found = await inspect(window);
    for (const key of Object.keys(total) as (keyof Findings)[]) total[key] += found[key];
    frameCount += window.map.frameCount;
    contentBytes += window.byteLength;
  }
  image.checkUnchanged();
  const byteLength = image.byteLength ?? image.woven?.fileBytes ?? contentBytes;
  return { format, byteLength, frameCount, ...total, ...known };
}

const NOTHING: Findings = {
  zero: 0,
  uniform: 0,
  duplicateInside: 0,
  duplicateAcross: 0,
  similar: 0,
  distinct: 0,
};

/** Undefined as soon as one length is unknown. */
function totalPages(files: readonly OpenInput[]): number | undefined {
  let pages = 0;
  for (const { segments } of files) {
    if (!segments) return undefined;
    pages += frameCountOf(segments);
  }
  return pages;
}
