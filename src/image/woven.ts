// Takes a file apart into pages and how they were put together, so that the pages of a dump or of
// a migration stream are the pages of the memory. A reader of a format says what the file consists
// of, part by part; this makes the content of a woven image of it (docs/format.md, "Woven images").
import { PAGE_BYTES } from "../core/page.ts";
import { encodeWeave, WeaveLayer, WeaveOp } from "../wire/weave.ts";
import type { MemoryView } from "./convert/memory.ts";
import type { ByteObserver, DumpCompression, ForwardImage, ImageFormat } from "./opened.ts";

/**
 * A part of a file, in the order of the file. Bytes are valid until the next part is asked for.
 * `address` is where the pages lay in the captured memory, for those who want it in another format;
 * `block` names the address space where there are several.
 */
export type Part =
  /**
   * Bytes that are no memory; `hides` says what memory is in them all the same, in a form that is
   * not taken apart.
   */
  | { readonly kind: "literal"; readonly bytes: Uint8Array; readonly hides?: string }
  /** Whole pages, as they stand in the file. */
  | ({ readonly kind: "pages"; readonly pages: Uint8Array; readonly form: Form } & Placed)
  /** Memory of zeros. */
  | ({ readonly kind: "zeros"; readonly pageCount: number; readonly form: ZeroForm } & Placed);

interface Placed {
  readonly address?: number;
  readonly block?: string | undefined;
}

/** What the file has in place of the pages. */
export type Form =
  | { readonly as: "plain" }
  /** Each behind a big-endian u64 that counts up by 4096 from `first`. */
  | { readonly as: "counted"; readonly first: number }
  /** Each compressed; it has been tried that this gives the same bytes again. */
  | {
      readonly as: "zlib" | "snappy";
      readonly pageBytes: number;
      readonly lengths: Uint32Array;
      /** Of snappy. */
      readonly release?: number | undefined;
    }
  /** Nothing: what they are made of is another part, or came before. They are not stored. */
  | { readonly as: "nothing" };

type StoredForm = Exclude<Form, { as: "nothing" }>;

/** What the file has in place of zero pages: nothing, or 9 bytes each. */
export type ZeroForm =
  | { readonly as: "nothing" }
  | { readonly as: "counted"; readonly first: number };

/** A file taken apart. */
export interface TakenApart {
  readonly format: ImageFormat;
  /** What its pages were compressed with, if the parts are those of a file where they are not. */
  readonly decompressed?: DumpCompression | undefined;
  /** All parts, from the beginning. `observer` is told of all bytes of the file, in order. */
  parts(signal?: AbortSignal, observer?: ByteObserver): AsyncIterable<Part>;
  /** Layers over the one of the parts, once these were all taken (kdump.ts has them). */
  layers?(): WeaveLayer[];
  /** What the head of a core of the same memory would say. */
  core?(): Promise<Pick<MemoryView, "machine" | "notes">>;
}

/** What such a file is as an image that comes forwards: its pages, then how it is put together. */
export function wovenContent(apart: TakenApart): Pick<ForwardImage, "woven" | "content"> {
  const woven = { fileBytes: 0 };
  async function* content(signal?: AbortSignal, observer?: ByteObserver) {
    const first = new WeaveLayer();
    let pageBytes = 0;
    for await (const part of apart.parts(signal, observer)) {
      if (part.kind === "literal") first.literal(part.bytes);
      else if (part.kind === "zeros") {
        if (part.form.as === "counted") first.countedZeros(part.form.first, part.pageCount);
      } else if (part.form.as !== "nothing") {
        addPages(first, part.form, part.pages.length);
        pageBytes += part.pages.length;
        yield part.pages;
      }
    }
    const layers = [first, ...(apart.layers?.() ?? [])];
    const skeleton = encodeWeave(pageBytes, layers);
    woven.fileBytes = layers[layers.length - 1].byteLength;
    yield* skeleton;
  }
  return { woven, content };
}

function addPages(layer: WeaveLayer, form: StoredForm, byteLength: number): void {
  if (form.as === "plain") layer.copy(byteLength);
  else if (form.as === "counted") layer.counted(form.first, byteLength / PAGE_BYTES);
  else {
    const op = form.as === "zlib" ? WeaveOp.ZLIB : WeaveOp.SNAPPY;
    layer.recompressed(op, form.pageBytes, form.lengths, form.release);
  }
}
