// What a primary of a replication does with an epoch, in this process and on one thread: the memory
// of the epoch before is there, the new checkpoint is read from its file, compared and encoded. Of
// compressors it knows ours, and deflate of whole pages, which others send.
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { PAGE_BYTES } from "../../src/core/page.ts";
import type { EpochChanges, Granularity } from "../../src/replication/changes.ts";
import { EpochDecoder } from "../../src/replication/epochdecoder.ts";
import { EpochEncoder, type EpochEncoding } from "../../src/replication/epochencoder.ts";
import type { EncodedPart } from "../../src/replication/memorypart.ts";
import { applyPage, openPatch } from "../../src/replication/patch.ts";
import { Shadow } from "../../src/replication/shadow.ts";
import type { Contender, Epoch } from "./epoch.ts";
import { compareCheckpoints } from "./sequence.ts";

const GRANULARITIES: readonly Granularity[] = [64, 128, 256, 4096];
/** What stands before a deflated page: its frame. */
const FRAME_BYTES = 4;

type Ways = Pick<EpochEncoding, "delta" | "sharing" | "compression">;
const ENCODINGS: readonly [name: string, ways: Ways][] = [
  ["as they are", { delta: false, sharing: false, compression: false }],
  ["compressed", { delta: false, sharing: false, compression: true }],
  ["deltas", { delta: true, sharing: false, compression: true }],
  ["deltas and sharing", { delta: true, sharing: true, compression: true }],
];

/** The name of a contender of the chain. */
export function chainName(granularity: Granularity, encoding: string): string {
  const unit = granularity === PAGE_BYTES ? "pages" : `blocks of ${granularity}`;
  return `${unit}, ${encoding}`;
}

export const DEFLATED = "pages, deflated one by one";

export interface Chain {
  readonly contenders: readonly Contender[];
  /** Reads a checkpoint and forgets what changed. */
  read(path: string): void;
  epoch(older: string, newer: string): Epoch;
  /** The newer image is the older one of the next epoch. */
  move(epoch: Epoch): void;
}

/** Takes the first checkpoint as the memory of the guest. */
export async function readChain(first: string): Promise<Chain> {
  const shadow = new Shadow();
  const byteLength = statSync(first).size;
  const ramBlocks = [{ name: "memory", byteLength }];
  shadow.begin({ machine: "file", qemuVersion: "none", pageBytes: PAGE_BYTES, ramBlocks });
  const read = (path: string): EpochChanges => {
    capture(shadow, path);
    return shadow.takeChanges();
  };
  read(first);
  const encoders = GRANULARITIES.flatMap((granularity) =>
    ENCODINGS.map(([name, ways]) =>
      partsContender(chainName(granularity, name), { granularity, ...ways }, shadow, read),
    ),
  );
  return {
    contenders: [...encoders, deflateContender(shadow, read)],
    read,
    epoch: compareCheckpoints,
    move: ({ newer }) => void read(newer),
  };
}

function capture(shadow: Shadow, path: string): void {
  const file = openSync(path, "r");
  try {
    for (let frame = 0; frame < shadow.frameCount; ) {
      const room = shadow.room();
      const length = readSync(file, room.pages, 0, room.pages.length, frame * PAGE_BYTES);
      const pageCount = length / PAGE_BYTES;
      if (!Number.isInteger(pageCount) || pageCount === 0) throw new Error(`${path}: was cut`);
      for (let i = 0; i < pageCount; i++) room.frames[i] = frame + i;
      shadow.take({ room, pageCount, zeros: [] });
      frame += pageCount;
    }
  } finally {
    closeSync(file);
  }
}

function partsContender(
  name: string,
  encoding: EpochEncoding,
  shadow: Shadow,
  read: (path: string) => EpochChanges,
): Contender {
  const encoder = new EpochEncoder(encoding);
  const decoder = new EpochDecoder();
  let parts: EncodedPart[] = [];
  return {
    name,
    way: "chain",
    prepare: ({ older }) => void read(older),
    run({ newer }) {
      parts = [...encoder.memory(shadow, read(newer))];
      return parts.reduce((sum, { body }) => sum + body.length, 0);
    },
    async check(epoch) {
      const file = openSync(epoch.older, "r");
      const pageAt = pageReader(file);
      const { frameCount } = shadow;
      const held = {
        frameCount,
        isFull: false,
        read: async (frames: Uint32Array) => Buffer.concat([...frames].map(pageAt)),
      };
      const pages = new Map<number, Uint8Array>();
      for (const part of parts) {
        for (const bytes of await decoder.memory(part, held, name)) {
          const patch = openPatch(bytes, frameCount, name);
          for (const [i, frame] of patch.frames.entries()) {
            const page = pageAt(frame);
            applyPage(patch, i, page);
            pages.set(frame, page);
          }
        }
      }
      closeSync(file);
      checkPages(name, pages, epoch);
    },
  };
}

function deflateContender(shadow: Shadow, read: (path: string) => EpochChanges): Contender {
  let deflated: [frame: number, bytes: Buffer][] = [];
  return {
    name: DEFLATED,
    way: "chain",
    prepare: ({ older }) => void read(older),
    run({ newer }) {
      const { masks, frameCount } = read(newer);
      deflated = [];
      for (let frame = 0; frame < frameCount; frame++) {
        if ((masks[2 * frame] | masks[2 * frame + 1]) === 0) continue;
        deflated.push([frame, deflateRawSync(shadow.page(frame), { level: 1 })]);
      }
      return deflated.reduce((sum, [, bytes]) => sum + FRAME_BYTES + bytes.length, 0);
    },
    check(epoch) {
      const pages = deflated.map(([frame, bytes]) => [frame, inflateRawSync(bytes)] as const);
      checkPages(DEFLATED, new Map(pages), epoch);
    },
  };
}

/** All pages that differ are there, and all that are there are those of the newer image. */
function checkPages(name: string, pages: ReadonlyMap<number, Uint8Array>, epoch: Epoch): void {
  const file = openSync(epoch.newer, "r");
  const pageAt = pageReader(file);
  const isRight =
    epoch.frames.every((frame) => pages.has(frame)) &&
    [...pages].every(([frame, page]) => pageAt(frame).equals(page));
  closeSync(file);
  if (!isRight) throw new Error(`${name}: does not lead from ${epoch.older} to ${epoch.newer}`);
}

function pageReader(file: number): (frame: number) => Buffer {
  return (frame) => {
    const page = Buffer.alloc(PAGE_BYTES);
    readSync(file, page, 0, PAGE_BYTES, frame * PAGE_BYTES);
    return page;
  };
}
