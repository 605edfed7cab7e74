// Reads one stored page back by its slot: from a pages cluster, or by applying a delta to its
// reference pages.
import { PagefoldError } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { itemRange } from "./decodecluster.ts";
import { applyDelta, readReferences } from "./deltaitem.ts";
import type { PlacesRegion, TaskContext } from "./task.ts";

/** Puts `count` frames of the base image from `frame` on at `target`. */
export type BaseReader = (frame: number, count: number, target: number) => void;

/** Puts a page that is stored without references at `target`. False if it does not know it. */
export type PlainReader = (cluster: number, item: number, target: number) => boolean;

/** Where reference pages are, other than in clusters. */
export interface ReferenceSources {
  readonly base: BaseReader | undefined;
  /** Asked before a cluster is decoded. */
  readonly plain: PlainReader;
}

/**
 * Puts the page in slot (cluster, item) at `target`. False if its cluster has no place, or if it
 * is a delta against a base image and there is none. Throws DAMAGED for a broken archive.
 */
export function readSlot(
  context: TaskContext,
  places: PlacesRegion,
  cluster: number,
  item: number,
  target: number,
  sources?: ReferenceSources,
): boolean {
  const { view, bytes, clusters, scratch } = context;
  const decoded = clusters.get(cluster, places);
  const range = decoded && itemRange(view, decoded, item);
  if (!decoded || !range) return false;
  if (!decoded.isDeltas) {
    bytes.copyWithin(target, range.ptr, range.ptr + PAGE_BYTES);
    return true;
  }
  // The cluster of the delta must stay while its references are fetched: keep the item aside.
  const aside = scratch.staging;
  bytes.copyWithin(aside, range.ptr, range.ptr + range.byteLength);
  const name = `cluster ${cluster} item ${item}`;
  const { references, opsOffset } = readReferences(view, aside, range.byteLength, name);
  for (const [i, reference] of references.entries()) {
    const page = scratch.references + i * PAGE_BYTES;
    if ("baseFrame" in reference) {
      if (!sources?.base) return false;
      sources.base(reference.baseFrame, 1, page);
    } else {
      if (reference.cluster >= cluster) {
        const slot = `item ${reference.item} of cluster ${reference.cluster}`;
        throw new PagefoldError("DAMAGED", `${name}: refers forwards, to ${slot}`);
      }
      const isThere = sources?.plain(reference.cluster, reference.item, page) ?? false;
      if (!isThere && !readPlainSlot(context, places, reference, page)) return false;
    }
    view.setUint32(scratch.referencePtrs + i * 4, page, true);
  }
  const ops = range.byteLength - opsOffset;
  applyDelta(
    context,
    aside + opsOffset,
    ops,
    scratch.referencePtrs,
    references.length,
    target,
    name,
  );
  return true;
}

/** A slot that must hold a page that is stored without references. */
function readPlainSlot(
  context: TaskContext,
  places: PlacesRegion,
  slot: { cluster: number; item: number },
  target: number,
): boolean {
  const decoded = context.clusters.get(slot.cluster, places);
  const range = decoded && itemRange(context.view, decoded, slot.item);
  if (!decoded || decoded.isDeltas || !range) return false;
  context.bytes.copyWithin(target, range.ptr, range.ptr + PAGE_BYTES);
  return true;
}
