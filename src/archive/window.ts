// Lets workers read an image whose content comes forwards only: some of it at a time, from a
// temporary file without a name that is written again and again.
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PagefoldError, reasonOf } from "../core/errors.ts";
import { FrameMap } from "../core/extent.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { BATCH_PAGES } from "../core/slab.ts";
import type { ForwardImage } from "../image/opened.ts";
import { rawSegments } from "../image/raw.ts";
import type { SurveyedFile } from "../pipeline/surveyed.ts";
import { inFrames, rebatch } from "./chunks.ts";

/** Enough for all threads; the file stays in the page cache. */
const WINDOW_BYTES = 64 << 20;

/** The next frames of an image. */
export interface Window extends SurveyedFile {
  /** Of the window. */
  readonly byteLength: number;
}

/** The frames of `image` in order. A window is valid until the next one is asked for. */
export async function* windowsOf(
  image: ForwardImage,
  signal: AbortSignal | undefined,
): AsyncGenerator<Window, void, undefined> {
  const { path: name } = image;
  const failed = (error: unknown) =>
    new PagefoldError("OUTPUT", `${tmpdir()}: ${reasonOf(error)}`, { cause: error });
  const file = await openNameless().catch((error) => {
    throw failed(error);
  });
  const window = (byteLength: number): Window => {
    return { name, fd: file.fd, map: new FrameMap(rawSegments(byteLength)), byteLength };
  };
  try {
    let filled = 0;
    for await (const pages of pagesOf(image, signal)) {
      for (let at = 0; at < pages.length; ) {
        const { bytesWritten } = await file.write(pages, at, undefined, filled + at).catch((e) => {
          throw failed(e);
        });
        at += bytesWritten;
      }
      filled += pages.length;
      if (filled < WINDOW_BYTES) continue;
      yield window(filled);
      filled = 0;
    }
    if (filled > 0) yield window(filled);
  } finally {
    await file.close();
  }
}

/** Pieces of whole pages, but for the last one of a raw image. */
function pagesOf(image: ForwardImage, signal: AbortSignal | undefined) {
  const { path: name, segments } = image;
  const content = image.content(signal);
  if (!segments) return rebatch(content, BATCH_PAGES * PAGE_BYTES, signal);
  return inFrames(content, new FrameMap(segments), BATCH_PAGES, { name, signal });
}

async function openNameless() {
  const directory = await mkdtemp(join(tmpdir(), "pagefold-window-"));
  try {
    return await open(join(directory, "window"), "wx+", 0o600);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
