// Verifies an archive that comes through a pipe: every checksum, every page, every image. Damage is
// an answer, as it is for files; what can be read behind it is read.
import { tmpdir } from "node:os";
import type { VerifyOptions, VerifyReport } from "../api.ts";
import { PAGE_BYTES } from "../core/page.ts";
import type { PageSink } from "../image/image.ts";
import { followStream, type StreamVisitor } from "./followstream.ts";
import { ProgressMeter } from "./progress.ts";
import { StreamBase } from "./streambase.ts";
import type { StreamParts } from "./streamdecoder.ts";

/** Pages are looked at on their way; nobody wants to have them. */
const NOWHERE: PageSink = { write: async () => undefined, zero: async () => undefined };

/** FORMAT when the bytes are no archive at all. */
export async function verifyStream(
  bytes: AsyncIterable<Uint8Array>,
  options: VerifyOptions,
  parts: StreamParts,
): Promise<VerifyReport> {
  const began = performance.now();
  const { key, signal } = options;
  await using base = new StreamBase(options.base, signal);
  const meter = new ProgressMeter(options.onProgress, undefined);
  const faults = new Set<string>();
  const images = new Map<string, VerifyReport["images"][number]>();
  const lost = new Map<string, VerifyReport["lost"]>();
  const visitor: StreamVisitor = {
    begin: async (head) => ({ sink: NOWHERE, base: await base.of(head) }),
    async ended(image, contentBytes, fileBytes) {
      const { name } = image.head;
      const byteLength = fileBytes ?? contentBytes;
      images.set(name, { name, byteLength, intact: image.lost.length === 0 });
      lost.set(name, image.lost);
    },
    advance: (image, frameCount) => meter.advance(image.head.name, frameCount * PAGE_BYTES),
  };
  const checkedBytes = await followStream(bytes, visitor, {
    ...parts,
    storeDirectory: tmpdir(),
    key,
    signal,
    onFault: (fault) => void faults.add(fault),
  });
  meter.finish();
  const verdicts = [...images.values()];
  return {
    intact: faults.size === 0 && verdicts.every(({ intact }) => intact),
    images: verdicts,
    faults: [...faults],
    lost: [...lost.values()].flat(),
    checkedBytes,
    elapsedMs: performance.now() - began,
  };
}
