// Folds a stream into batches and unfolds them again, in pieces and batches of any size.
import { ByteWriter } from "../../src/core/bytes.ts";
import { type FoldTarget, StreamFolder } from "../../src/qemu/folder.ts";
import { StreamUnfolder } from "../../src/qemu/unfolder.ts";

/** A batch as it would travel. */
export interface FoldedBatch {
  script: Uint8Array;
  pages: Uint8Array;
  frames: number[];
  streamBytes: number;
  forgotten: number[];
  settles: boolean;
}

export interface Folded {
  folder: StreamFolder;
  batches: FoldedBatch[];
  events: { event: string; at: number }[];
}

export function newTarget(pageCapacity: number): FoldTarget {
  return {
    pages: new Uint8Array(pageCapacity * 4096),
    pageCount: 0,
    frames: new Uint32Array(pageCapacity),
    script: new ByteWriter(256),
    streamBytes: 0,
  };
}

/**
 * Folds everything. `pieceBytes` says how long the next piece is, `isCut` whether a batch ends
 * with it although it is not full.
 */
export function foldAll(
  bytes: Uint8Array,
  pageCapacity: number,
  pieceBytes: () => number,
  isCut: () => boolean = () => false,
  folder = new StreamFolder("web"),
): Folded {
  const batches: FoldedBatch[] = [];
  const events: { event: string; at: number }[] = [];
  let target = newTarget(pageCapacity);
  let streamBytes = 0;
  const ship = () => {
    const { script, pages, pageCount, frames } = target;
    streamBytes += target.streamBytes;
    batches.push({
      script: script.take().slice(),
      pages: pages.slice(0, pageCount * 4096),
      frames: [...frames.subarray(0, pageCount)],
      streamBytes: target.streamBytes,
      forgotten: folder.takeForgotten(),
      settles: target.settles === true,
    });
    // A batch that was shipped may be overwritten at once.
    pages.fill(0xee);
    target = newTarget(pageCapacity);
  };
  for (let at = 0; at < bytes.length; ) {
    // A private copy: the folder must not look at a piece after the call.
    const piece = bytes.slice(at, at + Math.max(1, pieceBytes()));
    for (let taken = 0; taken < piece.length; ) {
      const more = folder.fold(piece.subarray(taken), target);
      taken += more;
      const event = folder.takeEvent();
      if (event !== undefined) {
        ship();
        events.push({ event, at: streamBytes });
      } else if (taken < piece.length) {
        if (more === 0 && target.streamBytes === 0) throw new Error(`no progress at ${at}`);
        ship();
      }
    }
    piece.fill(0xdd);
    if (isCut()) ship();
    at += piece.length;
  }
  ship();
  return { folder, batches, events };
}

/** All bytes again. */
export function unfoldAll(batches: readonly FoldedBatch[]): Uint8Array {
  const unfolder = new StreamUnfolder("web");
  const pieces = batches.map(({ script, pages, frames, streamBytes }) => {
    const into = new Uint8Array(streamBytes);
    const length = unfolder.unfold(script, pages, frames.length, into);
    if (length !== streamBytes) throw new Error(`${length} bytes of ${streamBytes}`);
    return into;
  });
  return Buffer.concat(pieces);
}
