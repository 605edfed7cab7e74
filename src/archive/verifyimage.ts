// Checks one image against its checksum, from the fingerprints of its frames. Frames that cannot be
// had are collected as ranges.
import type { LostRange } from "../api.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { FINGERPRINT_BYTES } from "../kernels/abi.ts";
import { ImageChecksum } from "../pipeline/imagechecksum.ts";
import { RecordKind, type Run } from "../wire/records.ts";
import { clipRuns } from "../wire/slotruns.ts";
import type { CheckedClusters } from "./checkedclusters.ts";
import { type ClusterReader, type ReadOptions, readBase } from "./content.ts";
import type { DecodeMemory } from "./decodememory.ts";
import { type ArchiveIndex, leavesOf } from "./index.ts";
import { fillWord } from "./pages.ts";

/** Frames that are handled between two looks at the signal. */
const PIECE_FRAMES = 256;

export interface ImageVerdict {
  readonly intact: boolean;
  readonly lost: LostRange[];
  /** What is wrong with the image as a whole. */
  readonly fault?: string;
}

export interface VerifyTools {
  readonly index: ArchiveIndex;
  readonly reader: ClusterReader;
  readonly clusters: CheckedClusters;
  readonly memory: DecodeMemory;
}

export async function verifyImage(
  tools: VerifyTools,
  image: number,
  options: ReadOptions,
): Promise<ImageVerdict> {
  const { index, memory } = tools;
  const { head, end, byteLength, frameCount } = index.images[image];
  const sum = new ImageChecksum(memory.kernels, memory.memory, memory.ptr.checksum);
  const lost = new LostFrames(head.name);
  let frame = 0;
  for await (const leaf of leavesOf(index, image, options.signal)) {
    const stop = Math.min(frameCount, leaf.firstFrame + leaf.frameCount);
    if (leaf.lost !== undefined) lost.add(frame, stop - frame, leaf.lost);
    for (const run of clipRuns(leaf.runs, leaf.firstFrame, frame, stop)) {
      await addRun(tools, run, frame, sum, lost, options);
      frame += run.length;
    }
    frame = stop;
  }
  if (lost.ranges.length > 0) return { intact: false, lost: lost.ranges };
  if (!end) return { intact: false, lost: [], fault: `${head.name}: its END batch is lost` };
  const found = sum.finish(byteLength, frameCount);
  if (Buffer.compare(found, end.checksum) === 0) return { intact: true, lost: [] };
  return { intact: false, lost: [], fault: `${head.name}: wrong image checksum` };
}

/** Joins lost frames that follow one another for the same reason. */
class LostFrames {
  readonly ranges: LostRange[] = [];
  private readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  add(firstFrame: number, frameCount: number, reason: string): void {
    const last = this.ranges.at(-1);
    if (last && last.firstFrame + last.frameCount === firstFrame && last.reason === reason) {
      last.frameCount += frameCount;
    } else {
      this.ranges.push({ name: this.name, firstFrame, frameCount, reason });
    }
  }
}

async function addRun(
  { clusters, reader }: VerifyTools,
  run: Run,
  frame: number,
  sum: ImageChecksum,
  lost: LostFrames,
  options: ReadOptions,
): Promise<void> {
  switch (run.kind) {
    case RecordKind.ZERO:
      return repeat(sum, reader.fingerprintsOf(new Uint8Array(PAGE_BYTES)), run.length, options);
    case RecordKind.UNIFORM: {
      const page = new Uint8Array(PAGE_BYTES);
      fillWord(page, run.word);
      return repeat(sum, reader.fingerprintsOf(page), run.length, options);
    }
    case RecordKind.DUPLICATE: {
      const known = clusters.fingerprints(run.cluster, run.item, run.length);
      if (known) return sum.add(known);
      for (let i = 0; i < run.length; i++) {
        const found = await clusters.fingerprint(run.cluster, run.item + i);
        if (typeof found === "string") lost.add(frame + i, 1, found);
        else sum.add(found);
      }
      return;
    }
    case RecordKind.BASE:
      for (let done = 0; done < run.length; done += PIECE_FRAMES) {
        const count = Math.min(PIECE_FRAMES, run.length - done);
        const pages = new Uint8Array(count * PAGE_BYTES);
        await readBase(run.frame + done, count, pages, options);
        sum.add(reader.fingerprintsOf(pages));
      }
      return;
    case RecordKind.STORED:
    case RecordKind.DELTA:
    case RecordKind.SKIP:
      throw new Error(`record kind ${run.kind} in a leaf`);
  }
}

/** An image may claim to be zero for longer than anybody waits: the signal must be heard. */
async function repeat(
  sum: ImageChecksum,
  fingerprint: Uint8Array,
  count: number,
  { signal }: ReadOptions,
): Promise<void> {
  const piece = new Uint8Array(PIECE_FRAMES * FINGERPRINT_BYTES);
  for (let i = 0; i < PIECE_FRAMES; i++) piece.set(fingerprint, i * FINGERPRINT_BYTES);
  for (let done = 0, turn = 1; done < count; done += PIECE_FRAMES, turn++) {
    sum.add(piece.subarray(0, Math.min(PIECE_FRAMES, count - done) * FINGERPRINT_BYTES));
    if (turn % 1024 !== 0) continue;
    await new Promise((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
  }
}
