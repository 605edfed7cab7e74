// The file that one image of a stream is written to. It gets its name at the END of the first
// round; a later round writes a new file, from a copy of what is there.
import { read, write } from "node:fs";
import { open } from "node:fs/promises";
import { promisify } from "node:util";
import type { LostRange } from "../api.ts";
import { PagefoldError, reasonOf } from "../core/errors.ts";
import { FrameMap } from "../core/extent.ts";
import { PAGE_BYTES } from "../core/page.ts";
import type { PageSink } from "../image/image.ts";
import { SparseFile } from "../image/sparsefile.ts";
import type { ImageHead } from "../wire/imagehead.ts";
import { leaveContent, putTogether } from "./wovenoutput.ts";

const readFd = promisify(read);
const writeFd = promisify(write);
const PIECE_BYTES = 1 << 20;
/** Beyond what any image can have: the map of an image whose length is not known yet. */
const UNKNOWN_BYTES = 2 ** 52;

export class UnpackedFile implements PageSink {
  path: string;
  readonly map: FrameMap;
  /** As the head says. */
  readonly format: string;
  /** Bytes written; holes are not counted. */
  storedBytes = 0;
  private readonly head: ImageHead;
  private readonly force: boolean;
  private file: SparseFile | undefined;
  /** True from the second round on: then zeros replace something. */
  private isRevised = false;

  private constructor(path: string, head: ImageHead, file: SparseFile, force: boolean) {
    this.path = path;
    this.head = head;
    this.format = head.format;
    this.force = force;
    this.file = file;
    const { segmentBytes, byteLength = UNKNOWN_BYTES } = head;
    const lengths = segmentBytes.length > 0 ? segmentBytes : byteLength > 0 ? [byteLength] : [];
    let byteOffset = 0;
    const segments = lengths.map((length) => {
      byteOffset += length;
      return { byteOffset: byteOffset - length, byteLength: length };
    });
    this.map = new FrameMap(segments);
  }

  static async create(path: string, head: ImageHead, force: boolean): Promise<UnpackedFile> {
    return new UnpackedFile(path, head, await SparseFile.create(path, { force }), force);
  }

  async write(frame: number, pages: Uint8Array): Promise<void> {
    const file = this.file ?? (await this.reopen());
    for (const run of this.map.runs(frame, pages.length / PAGE_BYTES)) {
      const start = (run.frame - frame) * PAGE_BYTES;
      const bytes = pages.subarray(start, start + run.byteLength);
      if (this.isRevised) await overwrite(file, run.byteOffset, bytes);
      else await file.write(run.byteOffset, bytes);
    }
  }

  /** Holes, in a file that has nothing there yet. */
  async zero(frame: number, count: number): Promise<void> {
    if (this.file && !this.isRevised) return;
    const zeros = new Uint8Array(PIECE_BYTES);
    const pieceFrames = PIECE_BYTES / PAGE_BYTES;
    for (let done = 0; done < count; done += pieceFrames) {
      const frames = Math.min(pieceFrames, count - done);
      await this.write(frame + done, zeros.subarray(0, frames * PAGE_BYTES));
    }
  }

  /** Gives the file its length and its name. Nothing to do if a round has changed nothing. */
  async commit(byteLength: number): Promise<void> {
    const { file } = this;
    if (!file) return;
    await file.commit(byteLength, this.mtimeMs);
    this.storedBytes += file.storedBytes;
    this.file = undefined;
  }

  /** The same for the content of a woven image, of which `lost` is not there. */
  async commitWoven(
    contentBytes: number,
    fileBytes: number,
    lost: LostRange[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { file, mtimeMs, force } = this;
    if (!file) return;
    const content = { file, contentBytes, fileBytes, mtimeMs, force, signal };
    if (lost.length > 0) this.path = await leaveContent(content, lost);
    else this.storedBytes += await putTogether(content);
    await this.discard();
  }

  /** Images of an encoder have no time. */
  private get mtimeMs(): number | undefined {
    const { mtimeNs } = this.head;
    return mtimeNs === 0n ? undefined : Number(mtimeNs / 1_000_000n);
  }

  async discard(): Promise<void> {
    await this.file?.discard();
    this.file = undefined;
  }

  private async reopen(): Promise<SparseFile> {
    const file = await SparseFile.create(this.path, { force: true });
    this.file = file;
    this.isRevised = true;
    const old = await open(this.path, "r");
    try {
      const piece = new Uint8Array(PIECE_BYTES);
      for (let at = 0; ; ) {
        const { bytesRead } = await readFd(old.fd, piece, 0, PIECE_BYTES, at);
        if (bytesRead === 0) break;
        await file.write(at, piece.subarray(0, bytesRead));
        at += bytesRead;
      }
    } finally {
      await old.close();
    }
    return file;
  }
}

async function overwrite(file: SparseFile, byteOffset: number, bytes: Uint8Array): Promise<void> {
  try {
    for (let done = 0; done < bytes.length; ) {
      const left = bytes.length - done;
      done += (await writeFd(file.fd, bytes, done, left, byteOffset + done)).bytesWritten;
    }
  } catch (error) {
    throw new PagefoldError("OUTPUT", `${file.path}: ${reasonOf(error)}`, { cause: error });
  }
}
