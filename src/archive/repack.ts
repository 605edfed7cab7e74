// Writes the live content of an archive anew: images that are kept are read page by page and folded
// again, so that what they share lies together and what nobody uses is left behind.
import type { RepackOptions } from "../api.ts";
import { PagefoldError } from "../core/errors.ts";
import type { PageSource } from "../image/image.ts";
import type { EngineResources } from "../pipeline/resources.ts";
import { openFileAccess } from "./bytesource.ts";
import { ClusterReader } from "./content.ts";
import { openDecodeMemory } from "./decodememory.ts";
import type { Destination } from "./destination.ts";
import type { DirectoryIndex } from "./index.ts";
import { openIndex } from "./openindex.ts";
import { type FoldInput, packInto } from "./pack.ts";
import { readFrames } from "./pages.ts";

/** Folds all images of the archive at `path` but those named in `drop` into `destination`. */
export async function repackInto(
  resources: EngineResources,
  path: string,
  destination: Destination,
  options: RepackOptions,
) {
  const access = await openFileAccess(path).catch(async (error) => {
    await destination.discard();
    throw error;
  });
  try {
    const { index } = await openIndex(access, path, options.signal, options.key);
    const clusters = new ClusterReader(access, index, openDecodeMemory());
    const inputs = keptImages(index, path, options.drop ?? []).map((image) =>
      archivedInput(index, clusters, image),
    );
    return await packInto(resources, inputs, destination, undefined, options);
  } finally {
    await destination.discard();
    await access.close();
  }
}

function keptImages(index: DirectoryIndex, path: string, drop: readonly string[]): number[] {
  const names = new Set(index.images.map(({ head }) => head.name));
  for (const name of drop) {
    if (names.has(name)) continue;
    throw new PagefoldError("RANGE", `${path}: there is no image ${JSON.stringify(name)}`);
  }
  return index.images.flatMap(({ head }, image) => (drop.includes(head.name) ? [] : [image]));
}

/** An image of the archive as an input that keeps what is known of it. */
function archivedInput(index: DirectoryIndex, clusters: ClusterReader, image: number): FoldInput {
  const { head, end, byteLength, fileBytes, frameCount } = index.images[image];
  if (head.base) {
    const reason = `was made against ${head.base.name} and cannot be repacked; unpack it first`;
    throw new PagefoldError("BASE", `${head.name}: ${reason}`);
  }
  const source: PageSource = {
    frameCount,
    read: (frame, count, into, signal) => {
      into.fill(0);
      return readFrames(index, clusters, image, frame, count, into, { signal });
    },
  };
  const { name, format, mtimeNs, segmentBytes } = head;
  const notes = Object.fromEntries(head.notes);
  const facts = { format, byteLength, fileBytes, mtimeNs, segmentBytes };
  return { name, notes, source, facts, digests: end?.digests ?? [] };
}
