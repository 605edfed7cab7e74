// Unpacks images of an archive file. Several images are restored together, so that a cluster they
// share is decoded once. Archives that come through a pipe are read forwards elsewhere.
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import type { LostRange, UnpackOptions, UnpackReport } from "../api.ts";
import { PagefoldError, reasonOf } from "../core/errors.ts";
import { FrameMap } from "../core/extent.ts";
import { resolveInside } from "../image/names.ts";
import { SparseFile } from "../image/sparsefile.ts";
import type { ImageChecksum } from "../pipeline/imagechecksum.ts";
import type { EngineResources } from "../pipeline/resources.ts";
import { type OpenBase, openBaseFor } from "./basefile.ts";
import { openFileAccess } from "./bytesource.ts";
import { segmentsOf } from "./image.ts";
import type { ArchiveIndex, IndexedImage } from "./index.ts";
import { lostRanges, writeLostList } from "./lost.ts";
import { openIndex, recoverIndex } from "./openindex.ts";
import { ProgressMeter } from "./progress.ts";
import { RestoreSession } from "./restore.ts";
import type { LostRun } from "./restoreplan.ts";
import type { UnpackHook } from "./unpackas.ts";
import { leaveContent, putTogether } from "./wovenoutput.ts";

/** Files that are open at the same time. */
const MAX_OPEN_FILES = 128;

/** `asContent`: a woven image becomes a file of its content, not the one it was made of. */
type Options = UnpackOptions & UnpackHook & { asContent?: boolean };

/** Unpacks `names` (default: all) of the archive at `path` into `directory`. */
export async function unpackArchive(
  resources: EngineResources,
  path: string,
  directory: string,
  options: Options & { wasm?: Uint8Array | URL | undefined },
): Promise<UnpackReport> {
  const began = performance.now();
  const { key, signal } = options;
  const access = await openFileAccess(path);
  let base: OpenBase | undefined;
  let session: RestoreSession | undefined;
  try {
    const warn = (fault: string): void => options.onWarning?.(`${path}: ${fault}`);
    const { index } = options.keepGoing
      ? await recoverIndex(access, path, warn, signal, key)
      : await openIndex(access, path, signal, key);
    const images = selectImages(index, path, options.names);
    const heads = images.map((image) => index.images[image].head);
    base = await openBaseFor(resources, heads, options);
    const sum = (pick: (image: IndexedImage) => number): number =>
      images.reduce((total, image) => total + pick(index.images[image]), 0);
    const frames = sum((image) => image.frameCount);
    session = await RestoreSession.open(resources, access.fd, index, base, frames, signal);
    const meter = new ProgressMeter(
      options.onProgress,
      sum((image) => image.byteLength),
    );
    const unpacking = new Unpacking(session, index, path, directory, options, meter);
    await unpacking.run(images);
    meter.finish();
    return { ...unpacking.report, elapsedMs: performance.now() - began };
  } finally {
    session?.close();
    await base?.file.close();
    await access.close();
  }
}

/** Numbers of the images with these names, by default of all. RANGE for a name not there. */
export function selectImages(
  index: ArchiveIndex,
  path: string,
  names: readonly string[] | undefined,
): number[] {
  const numbers = new Map(index.images.map(({ head }, image) => [head.name, image]));
  if (!names) return [...numbers.values()];
  return names.map((name) => {
    const image = numbers.get(name);
    if (image === undefined) {
      throw new PagefoldError("RANGE", `${path}: there is no image ${JSON.stringify(name)}`);
    }
    return image;
  });
}

/** An image on its way into its file. */
interface Target {
  readonly image: number;
  readonly indexed: IndexedImage;
  readonly path: string;
  readonly file: SparseFile;
  readonly map: FrameMap;
  readonly checksum: ImageChecksum;
  readonly lost: LostRun[];
  /** Frames restored so far. */
  done: number;
}

class Unpacking {
  readonly report: UnpackReport = { images: [], lost: [], writtenBytes: 0, elapsedMs: 0 };
  private readonly session: RestoreSession;
  private readonly index: ArchiveIndex;
  private readonly archive: string;
  private readonly directory: string;
  private readonly options: Options;
  private readonly meter: ProgressMeter;
  private readonly open = new Set<Target>();

  constructor(
    session: RestoreSession,
    index: ArchiveIndex,
    archive: string,
    directory: string,
    options: Options,
    meter: ProgressMeter,
  ) {
    this.session = session;
    this.index = index;
    this.archive = archive;
    this.directory = directory;
    this.options = options;
    this.meter = meter;
  }

  async run(images: readonly number[]): Promise<void> {
    const waiting = [...images];
    try {
      while (waiting.length > 0 || this.open.size > 0) {
        let room = this.session.maxFrames;
        for (const target of this.open) room -= target.indexed.frameCount - target.done;
        while (waiting.length > 0 && room > 0 && this.open.size < MAX_OPEN_FILES) {
          const target = await this.begin(waiting.shift() as number);
          room -= target.indexed.frameCount;
        }
        await this.restoreGroup();
      }
    } finally {
      for (const target of this.open) await target.file.discard();
    }
  }

  private async begin(image: number): Promise<Target> {
    const indexed = this.index.images[image];
    await this.options.begin?.(indexed.head);
    const path = await resolveInside(this.directory, indexed.head.name);
    const { force = false } = this.options;
    await mkdir(dirname(path), { recursive: true }).catch((error) => {
      throw new PagefoldError("OUTPUT", `${dirname(path)}: ${reasonOf(error)}`, { cause: error });
    });
    const file = await SparseFile.create(path, { force });
    const map = new FrameMap(segmentsOf(indexed));
    const checksum = this.session.newChecksum();
    const target = { image, indexed, path, file, map, checksum, lost: [], done: 0 };
    this.open.add(target);
    return target;
  }

  /** Restores as many frames of the open images as fit, and ends those that are complete. */
  private async restoreGroup(): Promise<void> {
    let room = this.session.maxFrames;
    const targets: Target[] = [];
    const wanted = [];
    for (const target of this.open) {
      const { image, map, done, indexed, file, path } = target;
      // Only the last piece of an image may be no whole number of checksum nodes.
      const left = indexed.frameCount - done;
      const frameCount = left <= room ? left : Math.floor(room / 256) * 256;
      if (frameCount === 0 && left > 0) break;
      wanted.push({ image, firstFrame: done, frameCount, map, fd: file.fd, path });
      targets.push(target);
      room -= frameCount;
    }
    const advance = (bytes: number): void =>
      this.meter.advance(targets[0].indexed.head.name, bytes);
    const { lost, pieces, writtenBytes } = await this.session.restore(wanted, advance);
    this.report.writtenBytes += writtenBytes;
    if (lost.length > 0 && !this.options.keepGoing) this.refuse(lost[0]);
    for (const [i, target] of targets.entries()) {
      target.lost.push(...lost.filter((run) => run.piece === pieces[i]));
      target.checksum.add(this.session.fingerprints(pieces[i]));
      target.done += pieces[i].frameCount;
      if (target.done === target.indexed.frameCount) await this.end(target);
    }
  }

  private refuse({ piece, frame, reason }: LostRun): never {
    const { name } = this.index.images[piece.image].head;
    throw new PagefoldError("DAMAGED", `${this.archive}: ${name}: frame ${frame}: ${reason}`);
  }

  private async end(target: Target): Promise<void> {
    const { indexed, file, path, map, checksum } = target;
    const { head, byteLength, frameCount } = indexed;
    const lost = lostRanges(head.name, target.lost);
    const found = checksum.finish(byteLength, frameCount);
    const agrees = indexed.end && Buffer.from(found).equals(indexed.end.checksum);
    if (lost.length === 0 && !agrees) {
      const reason = "its content is not what its checksum says";
      if (!this.options.keepGoing) {
        throw new PagefoldError("MISMATCH", `${this.archive}: ${head.name}: ${reason}`);
      }
      lost.push({ name: head.name, firstFrame: 0, frameCount, reason });
    }
    const mtimeMs = Number(head.mtimeNs / 1_000_000n);
    if (indexed.fileBytes !== undefined && !this.options.asContent) {
      await this.weave(target, indexed.fileBytes, mtimeMs, lost);
    } else {
      if (lost.length > 0) await writeLostList(path, map, lost);
      await file.commit(byteLength, mtimeMs);
      this.report.images.push({ name: head.name, path, format: head.format, byteLength });
    }
    this.open.delete(target);
    this.report.lost.push(...lost);
    await this.options.ended?.(this.report.images[this.report.images.length - 1]);
  }

  /** Puts the file together that a woven image was made of. */
  private async weave(
    { indexed, file }: Target,
    fileBytes: number,
    mtimeMs: number,
    lost: LostRange[],
  ): Promise<void> {
    const { name, format } = indexed.head;
    const { force = false, signal } = this.options;
    const contentBytes = indexed.byteLength;
    const content = { file, contentBytes, fileBytes, mtimeMs, force, signal };
    if (lost.length > 0) {
      const path = await leaveContent(content, lost);
      this.report.images.push({ name, path, format, byteLength: contentBytes });
    } else {
      await putTogether(content);
      this.report.images.push({ name, path: file.path, format, byteLength: fileBytes });
    }
    await file.discard();
  }
}
