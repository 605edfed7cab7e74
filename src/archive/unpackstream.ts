// Unpacks an archive that comes through a pipe: forwards, without its index, in bounded memory.
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import type { UnpackOptions, UnpackReport } from "../api.ts";
import { PagefoldError, reasonOf } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { resolveInside } from "../image/names.ts";
import type { ImageHead } from "../wire/imagehead.ts";
import { followStream, type StreamVisitor } from "./followstream.ts";
import { writeLostList } from "./lost.ts";
import { ProgressMeter } from "./progress.ts";
import { StreamBase } from "./streambase.ts";
import type { StreamParts } from "./streamdecoder.ts";
import type { StreamedImage, StreamTarget } from "./streamedimage.ts";
import type { UnpackHook } from "./unpackas.ts";
import { UnpackedFile } from "./unpackedfile.ts";

/** Writes the images of the archive in `bytes` into `directory`. */
export async function unpackStream(
  bytes: AsyncIterable<Uint8Array>,
  directory: string,
  options: UnpackOptions & UnpackHook,
  parts: StreamParts,
): Promise<UnpackReport> {
  const began = performance.now();
  const { key, signal, keepGoing } = options;
  await using base = new StreamBase(options.base, signal);
  const unpacking = new StreamUnpacking(directory, options, base);
  const onFault = (fault: string): void => options.onWarning?.(fault);
  try {
    await makeDirectory(directory);
    await followStream(bytes, unpacking, {
      ...parts,
      storeDirectory: directory,
      key,
      signal,
      onFault: keepGoing ? onFault : undefined,
    });
    unpacking.finish();
  } finally {
    await unpacking.discard();
  }
  return { ...unpacking.report(), elapsedMs: performance.now() - began };
}

class StreamUnpacking implements StreamVisitor {
  private readonly directory: string;
  private readonly options: UnpackOptions & UnpackHook;
  private readonly base: StreamBase;
  private readonly meter: ProgressMeter;
  private readonly wanted: Set<string> | undefined;
  private readonly files = new Map<string, UnpackedFile>();
  private readonly ends = new Map<string, { byteLength: number; lost: StreamedImage["lost"] }>();

  constructor(directory: string, options: UnpackOptions & UnpackHook, base: StreamBase) {
    this.directory = directory;
    this.options = options;
    this.base = base;
    this.meter = new ProgressMeter(options.onProgress, undefined, () => this.writtenBytes());
    this.wanted = options.names && new Set(options.names);
  }

  async begin(head: ImageHead): Promise<StreamTarget | undefined> {
    if (this.wanted && !this.wanted.has(head.name)) return undefined;
    await this.options.begin?.(head);
    const base = await this.base.of(head);
    const path = await resolveInside(this.directory, head.name);
    await makeDirectory(dirname(path));
    const sink = await UnpackedFile.create(path, head, this.options.force ?? false);
    this.files.set(head.name, sink);
    return { sink, base };
  }

  async ended(image: StreamedImage, contentBytes: number, fileBytes?: number): Promise<void> {
    const { lost } = image;
    const { name } = image.head;
    const file = this.files.get(name) as UnpackedFile;
    if (fileBytes !== undefined) {
      await file.commitWoven(contentBytes, fileBytes, lost, this.options.signal);
    } else {
      if (lost.length > 0) await writeLostList(file.path, file.map, lost);
      await file.commit(contentBytes);
    }
    const byteLength = lost.length > 0 ? contentBytes : (fileBytes ?? contentBytes);
    this.ends.set(name, { byteLength, lost });
  }

  advance(image: StreamedImage, frameCount: number): void {
    this.meter.advance(image.head.name, frameCount * PAGE_BYTES);
  }

  /** RANGE when an image that was asked for did not come. */
  finish(): void {
    for (const name of this.wanted ?? []) {
      if (this.ends.has(name)) continue;
      throw new PagefoldError("RANGE", `stream: there is no image ${JSON.stringify(name)}`);
    }
    this.meter.finish();
  }

  async discard(): Promise<void> {
    for (const file of this.files.values()) await file.discard();
  }

  report(): Omit<UnpackReport, "elapsedMs"> {
    const images = [...this.ends].map(([name, { byteLength }]) => {
      const { path, format } = this.files.get(name) as UnpackedFile;
      return { name, path, format, byteLength };
    });
    const lost = [...this.ends.values()].flatMap((end) => end.lost);
    return { images, lost, writtenBytes: this.writtenBytes() };
  }

  private writtenBytes(): number {
    let bytes = 0;
    for (const file of this.files.values()) bytes += file.storedBytes;
    return bytes;
  }
}

async function makeDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true }).catch((error) => {
    throw new PagefoldError("OUTPUT", `${path}: ${reasonOf(error)}`, { cause: error });
  });
}
