// Packs inputs into a destination: a new archive, a stream, or an archive that grows.
import type { ImageReport, PackInput, PackOptions, PackReport } from "../api.ts";
import { PagefoldError } from "../core/errors.ts";
import { FrameMap, frameCountOf } from "../core/extent.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { Containers } from "../image/containers/containers.ts";
import type { PageSource } from "../image/image.ts";
import type { ImagePath } from "../image/inputs.ts";
import { openImage, openImageFile, openRawStream, openStream } from "../image/open.ts";
import type { ForwardImage, ImageFile } from "../image/opened.ts";
import type { FileSource } from "../pipeline/base.ts";
import type { PageObserver } from "../pipeline/observer.ts";
import type { EngineResources } from "../pipeline/resources.ts";
import { type BaseReference, faultOfName } from "../wire/imagehead.ts";
import type { OpenBase } from "./basefile.ts";
import type { Destination } from "./destination.ts";
import { FoldSession } from "./fold.ts";
import { levelParameters } from "./levels.ts";
import { type FoldedImage, ImageFolder } from "./packimage.ts";
import type { ImageFacts, ImageSettings } from "./packsettings.ts";
import { ProgressMeter } from "./progress.ts";

/** An input, or an image of another archive with what is known of it. */
export type FoldInput =
  | PackInput
  | {
      name: string;
      notes: Record<string, string>;
      source: PageSource;
      facts: ImageFacts & { byteLength: number; fileBytes: number | undefined };
      digests: [algorithm: string, digest: Uint8Array][];
    };

/** How to fold, and the kernels for whoever has to decompress. */
export type FoldIntoOptions = PackOptions & {
  wasm?: Uint8Array | URL | undefined;
  /** Looks at all pages; not together with a base. */
  observer?: PageObserver | undefined;
};

/** Pages of an image that are expected to differ from its base, at the most. */
const CHANGED_PAGES = 1 << 14;

type OpenInput = ImageFile | ForwardImage | undefined;

/**
 * Folds `inputs` into `destination` and commits it. Whatever happens, the caller discards the
 * destination afterwards: of an operation that failed nothing remains.
 */
export async function packInto(
  resources: EngineResources,
  inputs: readonly FoldInput[],
  destination: Destination,
  base: OpenBase | undefined,
  options: FoldIntoOptions,
): Promise<PackReport> {
  const began = performance.now();
  const opened: OpenInput[] = [];
  const { decompress = true, wasm, signal } = options;
  const containers = decompress ? new Containers(wasm) : undefined;
  const open = ({ path, decompress: own = true }: Omit<ImagePath, "name">) =>
    containers && own ? openImage(path, containers, signal) : openImageFile(path);
  try {
    checkNames(inputs);
    for (const input of inputs) {
      opened.push("path" in input ? await open(input) : undefined);
    }
    const report = await fold(resources, inputs, opened, destination, base, {
      ...options,
      containers,
    });
    return { ...report, elapsedMs: performance.now() - began };
  } finally {
    await Promise.allSettled(opened.map((file) => file?.close()));
  }
}

async function fold(
  resources: EngineResources,
  inputs: readonly FoldInput[],
  opened: OpenInput[],
  destination: Destination,
  base: OpenBase | undefined,
  options: Omit<FoldIntoOptions, "wasm"> & { containers: Containers | undefined },
): Promise<Omit<PackReport, "elapsedMs">> {
  const { signal, observer } = options;
  const { sink, clusterFd, start, seal } = destination;
  const files = opened.concat(base?.file);
  const pageCount = totalPages(inputs, files, destination.pageCount);
  const isReadOnce = opened.some((file) => file?.fd === undefined);
  const compared = base && toCompare(opened, options);
  const level = levelParameters(options.level, compared !== undefined);
  const newPages = compared ? CHANGED_PAGES : pageCount;
  const settled = {
    newPages,
    sink,
    level,
    pageCount,
    clusterFd,
    isReadOnce,
    start,
    seal,
    observer,
  };
  const session = resources.arena.allOrNothing(
    () => new FoldSession(resources, { ...settled, signal }),
  );
  try {
    observer?.begin(opened);
    await destination.learn(session);
    const reference = base && (await learn(session, base, compared));
    const meter = new ProgressMeter(
      options.onProgress,
      totalBytes(opened),
      () => session.writer.writtenBytes,
    );
    const settings: ImageSettings = {
      arena: resources.arena,
      base: reference,
      sha256: options.digests?.includes("sha256") ?? false,
      expectedSha256: options.expectedSha256,
      signal,
      warn: (message) => options.onWarning?.(message),
      advance: (name, bytes) => meter.advance(name, bytes),
    };
    const folded: FoldedImage[] = [];
    for (const [i, input] of inputs.entries()) {
      // A stream may keep others waiting for its first bytes until it is its turn.
      if ("bytes" in input) opened[i] = await openBytes(input, options);
      folded.push(await foldInput(session, input, opened[i], settings));
    }
    await session.pipeline.drain();
    const reports = await Promise.all(folded.map((image) => image.done));
    const state = await session.writer.finish(destination.generation);
    signal?.throwIfAborted();
    await destination.commit(state);
    meter.finish();
    return summary(reports, session.writer.writtenBytes);
  } finally {
    await session.close();
  }
}

function foldInput(
  session: FoldSession,
  input: FoldInput,
  file: OpenInput,
  settings: ImageSettings,
): Promise<FoldedImage> {
  const folder = new ImageFolder(session, input, settings);
  if (file) return file.fd === undefined ? folder.fromForward(file) : folder.fromFile(file);
  if ("facts" in input) return folder.fromSource(input.source, input.facts, input.digests);
  if ("source" in input) {
    const mtimeNs = nanoseconds(input.mtimeMs);
    const byteLength = input.source.frameCount * PAGE_BYTES;
    return folder.fromSource(input.source, {
      format: "raw",
      byteLength,
      mtimeNs,
      segmentBytes: [],
    });
  }
  throw new PagefoldError("USAGE", `${input.name}: an input has a path, bytes or a source`);
}

async function openBytes(
  { name, bytes, mtimeMs }: FoldInput & { bytes: AsyncIterable<Uint8Array>; mtimeMs?: number },
  { containers, signal }: { containers: Containers | undefined; signal?: AbortSignal | undefined },
): Promise<ImageFile | ForwardImage> {
  const options = { name, mtimeNs: nanoseconds(mtimeMs), signal };
  return containers ? openStream(bytes, containers, options) : openRawStream(bytes, options);
}

function nanoseconds(mtimeMs = Date.now()): bigint {
  return BigInt(Math.round(mtimeMs)) * 1_000_000n;
}

/**
 * The file that is compared with the base while that is learnt, so that both are read but once. Not
 * where others are not compared: they would miss what is like the base.
 */
function toCompare(opened: readonly OpenInput[], options: PackOptions): ImageFile | undefined {
  if (options.digests?.includes("sha256") || options.expectedSha256) return undefined;
  if (opened.some((file) => file?.fd === undefined)) return undefined;
  return opened[0] as ImageFile | undefined;
}

async function learn(
  session: FoldSession,
  base: OpenBase,
  compared: ImageFile | undefined,
): Promise<BaseReference> {
  const { name, file } = base;
  const { byteLength } = file;
  const map = new FrameMap(file.segments);
  const image = compared && sourceOf(compared, new FrameMap(compared.segments));
  const checksum = await session.learnBase(sourceOf(file, map), image);
  return { name, byteLength, checksum: checksum.finish(byteLength, map.frameCount) };
}

function sourceOf({ path, fd }: ImageFile, map: FrameMap): FileSource {
  return { name: path, image: -1, file: { fd, map } };
}

function checkNames(inputs: readonly FoldInput[]): void {
  const seen = new Set<string>();
  for (const { name } of inputs) {
    const fault = faultOfName(name);
    if (fault) throw new PagefoldError("USAGE", `image name ${JSON.stringify(name)} ${fault}`);
    if (seen.has(name)) throw new PagefoldError("USAGE", `image name "${name}" is given twice`);
    seen.add(name);
  }
}

/** Undefined as soon as one input's length is unknown. */
function totalPages(
  inputs: readonly FoldInput[],
  files: readonly OpenInput[],
  known: number,
): number | undefined {
  if (inputs.some((input) => "bytes" in input)) return undefined;
  let pages = known;
  for (const file of files) {
    if (!file) continue;
    if (!file.segments) return undefined;
    pages += frameCountOf(file.segments);
  }
  for (const input of inputs) pages += "source" in input ? input.source.frameCount : 0;
  return pages;
}

function totalBytes(opened: readonly OpenInput[]): number | undefined {
  let bytes = 0;
  for (const file of opened) {
    if (!file?.segments) return undefined;
    bytes += frameCountOf(file.segments) * PAGE_BYTES;
  }
  return bytes;
}

function summary(reports: (ImageReport & { unlistedPages: number })[], outputBytes: number) {
  return {
    images: reports.map(({ unlistedPages: _, ...report }) => report),
    inputBytes: reports.reduce((sum, { byteLength }) => sum + byteLength, 0),
    outputBytes,
    unlistedPages: reports.reduce((sum, { unlistedPages }) => sum + unlistedPages, 0),
  };
}
