// Takes dumps of kdump's compressed format apart (woven.ts), flattened ones too: their pages are
// those of the memory. Where compressing the pages again gives the bytes of the dump, the image is
// the file; where it does not, the image is the same dump with pages that are not compressed
// (kdumpplain.ts). Whatever is odd inside is kept as it stands; LZO is not read at all.
import { PagefoldError } from "../../core/errors.ts";
import { WeaveLayer } from "../../wire/weave.ts";
import { ROW_BYTES } from "../../wire/weaverows.ts";
import type { ReadAt } from "../layout.ts";
import type { ByteObserver, DumpCompression } from "../opened.ts";
import type { Part, TakenApart } from "../woven.ts";
import { FileWindow } from "./filewindow.ts";
import { Flattened, isFlattened } from "./flattened.ts";
import { type KdumpCodecOptions, KdumpCodecs } from "./kdumpcodecs.ts";
import { coreOfKdump } from "./kdumpcore.ts";
import { beginsKdump, KdumpFlag, readKdumpHead } from "./kdumphead.ts";
import { plainParts } from "./kdumpplain.ts";
import { probeKdump } from "./kdumpprobe.ts";
import { countPages } from "./kdumprows.ts";
import { decodeStretch, stretchParts, tryAgain } from "./kdumpstretch.ts";
import { KdumpTable } from "./kdumptable.ts";
import { type KdumpFile, KdumpWalk, type Stretch } from "./kdumpwalk.ts";

export interface KdumpOptions extends KdumpCodecOptions {
  /** What the bytes are called in messages. */
  readonly name: string;
}

/** A dump taken apart. */
export interface Kdump extends TakenApart {
  readonly format: "kdump";
  /** What its pages were compressed with, if they cannot be compressed again. */
  readonly decompressed: DumpCompression | undefined;
}

interface Readable {
  readonly read: ReadAt;
  readonly byteLength: number;
}

/** The most that is read at once of what is no page. */
const PIECE_BYTES = 1 << 20;
/** What of the file has to be kept in memory, for want of sense in it. */
const MAX_LITERAL_BYTES = 1 << 28;

/** True if a file begins as such a dump does. */
export function isKdump(head: Uint8Array): boolean {
  return beginsKdump(head) || isFlattened(head);
}

/** Undefined: on a closer look it is something else. */
export async function openKdump(
  read: ReadAt,
  byteLength: number,
  options: KdumpOptions,
): Promise<Kdump | undefined> {
  const { name } = options;
  const stored = { read, byteLength };
  const flattened = await Flattened.open(read, byteLength);
  if (flattened === "odd") return undefined;
  const inner = flattened ?? stored;
  const head = await readKdumpHead(inner.read, inner.byteLength);
  if (!head) return undefined;
  const pageCount = await countPages(inner.read, head);
  const room = Math.floor((inner.byteLength - head.tableOffset) / ROW_BYTES);
  const file: KdumpFile = {
    name,
    read: inner.read,
    byteLength: inner.byteLength,
    head,
    rowCount: Math.min(pageCount, room),
    codecs: new KdumpCodecs(options),
  };
  const { compression, isSame } = await probeKdump(file);
  if (compression === "lzo" || (head.status & KdumpFlag.LZO) !== 0) throw lzoRefused(name);
  const core = () => coreOfKdump(inner.read, inner.byteLength, head);
  if (!isSame && compression) {
    return { format: "kdump", decompressed: `kdump-${compression}`, core, ...plainParts(file) };
  }
  return { format: "kdump", decompressed: undefined, core, ...sameParts(file, stored, flattened) };
}

function lzoRefused(name: string): PagefoldError {
  const fault = "its pages are compressed with LZO, which is not read";
  const advice = "dump with zlib or snappy, convert it with makedumpfile -c, or --no-decompress";
  return new PagefoldError("FORMAT", `${name}: ${fault}: ${advice}`);
}

/** The parts of a file that is given back as it is. */
function sameParts(
  file: KdumpFile,
  stored: Readable,
  flattened: Flattened | undefined,
): Pick<TakenApart, "parts" | "layers"> {
  let layers: WeaveLayer[] = [];
  async function* parts(signal?: AbortSignal, observer?: ByteObserver): AsyncGenerator<Part> {
    const table = new WeaveLayer();
    layers = [table];
    const same = new SameFile(file, table);
    const seen = new Follower(stored.read, observer);
    yield* same.head();
    for await (const stretch of new KdumpWalk(file).stretches()) {
      signal?.throwIfAborted();
      yield* same.stretch(stretch);
      await seen.upTo(flattened?.placeOf(same.cursor) ?? same.cursor);
    }
    yield* same.end();
    await seen.upTo(stored.byteLength);
    if (flattened) layers.push(await flattened.layer());
  }
  return { parts, layers: () => layers };
}

/**
 * Two layers: the first has everything but the rows of the table, in the order of the file; the
 * second puts the table in.
 */
class SameFile {
  /** Everything before went out. */
  cursor: number;
  private readonly file: KdumpFile;
  private readonly layer: WeaveLayer;
  private readonly table: KdumpTable;
  private readonly window: FileWindow;
  private readonly dataStart: number;
  private literalBytes = 0;

  constructor(file: KdumpFile, layer: WeaveLayer) {
    const { head, rowCount } = file;
    this.file = file;
    this.layer = layer;
    this.cursor = 0;
    this.dataStart = head.tableOffset + rowCount * ROW_BYTES;
    this.table = new KdumpTable(layer, head.blockBytes, this.dataStart);
    this.window = new FileWindow(file.read, 2 * PIECE_BYTES);
  }

  async *head(): AsyncGenerator<Part> {
    const { tableOffset } = this.file.head;
    yield* this.keep(tableOffset);
    this.layer.copy(tableOffset);
    this.cursor = this.dataStart;
  }

  async *stretch(stretch: Stretch): AsyncGenerator<Part> {
    const { placed, rowBytes, start, end, flags } = stretch;
    const { codecs, head } = this.file;
    placed.forEach(({ row }, i) => {
      this.table.add(row, rowBytes.subarray(i * ROW_BYTES, (i + 1) * ROW_BYTES));
    });
    const own = placed.filter(({ page }) => page === "next").map(({ row }) => row);
    if (own.length > 0) yield* this.keep(start);
    const data = own.length > 0 ? await this.window.at(start, end - start) : new Uint8Array(0);
    const decoded = decodeStretch(codecs, placed, data, head.blockBytes);
    tryAgain(codecs, own, data, decoded, flags);
    for (const part of stretchParts(placed, data, decoded, head.blockBytes)) {
      if (part.kind === "literal") this.count(part.bytes.length);
      yield part;
    }
    if (own.length > 0) this.cursor = end;
  }

  async *end(): AsyncGenerator<Part> {
    const { byteLength } = this.file;
    this.table.flush();
    yield* this.keep(byteLength);
    this.layer.copy(byteLength - this.dataStart);
  }

  /** Bytes up to `end` as they are; much of them becomes pages, which needs no memory. */
  private async *keep(end: number): AsyncGenerator<Part> {
    while (this.cursor < end) {
      const bytes = await this.window.at(this.cursor, Math.min(PIECE_BYTES, end - this.cursor));
      if (bytes.length === 0) return;
      if (bytes.length === PIECE_BYTES) {
        yield { kind: "pages", pages: bytes, form: { as: "plain" } };
      } else {
        this.count(bytes.length);
        yield { kind: "literal", bytes };
      }
      this.cursor += bytes.length;
    }
  }

  private count(literalBytes: number): void {
    this.literalBytes += literalBytes;
    if (this.literalBytes <= MAX_LITERAL_BYTES) return;
    const { name } = this.file;
    const fault = `${MAX_LITERAL_BYTES} bytes of it are pages that cannot be compressed again`;
    throw new PagefoldError("LIMIT", `${name}: ${fault}: --no-decompress keeps it as it is`);
  }
}

/** Shows a file to an observer, in order and as far as it was read. */
class Follower {
  private readonly window: FileWindow;
  private readonly observer: ByteObserver | undefined;
  private at = 0;

  constructor(read: ReadAt, observer: ByteObserver | undefined) {
    this.window = new FileWindow(read, PIECE_BYTES);
    this.observer = observer;
  }

  async upTo(end: number): Promise<void> {
    while (this.observer && this.at < end) {
      const bytes = await this.window.at(this.at, Math.min(PIECE_BYTES, end - this.at));
      if (bytes.length === 0) return;
      this.observer.update(bytes);
      this.at += bytes.length;
    }
  }
}
