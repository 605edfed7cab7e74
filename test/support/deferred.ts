// Unfolds batches some of whose pages are absent and come later, in any order: as a target does
// that has to look for pages in its rack. And the proofs of both sides.
import { createHash } from "node:crypto";
import { type PageHashes, StreamProof } from "../../src/qemu/streamproof.ts";
import { StreamUnfolder } from "../../src/qemu/unfolder.ts";
import type { FoldedBatch } from "./qemufold.ts";
import type { SeededRandom } from "./random.ts";

const PAGE_BYTES = 4096;

/** A checksum that is good enough for a proof in tests. */
export function passedBytes(): { update(part: Uint8Array): void; digest(): bigint } {
  const hash = createHash("sha1");
  return {
    update: (part) => void hash.update(part),
    digest: () => hash.copy().digest().readBigUInt64LE(),
  };
}

/** Hashes as a survey would leave them: somewhere, with other things between. */
export function hashPages(pages: Uint8Array): PageHashes {
  const count = pages.length / PAGE_BYTES;
  const [from, stride] = [3, 8];
  const words = new Uint32Array(from + count * stride).fill(0xdead);
  for (let i = 0; i < count; i++) {
    const page = pages.subarray(i * PAGE_BYTES, (i + 1) * PAGE_BYTES);
    const digest = createHash("sha1").update(page).digest();
    words[from + i * stride] = digest.readUInt32LE(0);
    words[from + i * stride + 1] = digest.readUInt32LE(4);
  }
  return { words, from, stride };
}

export function proofOfSource(batches: readonly FoldedBatch[]): bigint {
  const proof = new StreamProof("web", passedBytes());
  for (const { script, pages } of batches) proof.play(script, hashPages(pages));
  return proof.digest();
}

export interface Deferred {
  readonly bytes: Uint8Array;
  readonly proof: bigint;
  readonly unfolder: StreamUnfolder;
  /** Names by what became of them. */
  readonly arrived: number;
  readonly early: number;
  readonly dropped: number;
  readonly named: number;
}

/** Pages are absent in `absentPercent` of cases, and come sooner or later, before they must. */
export function unfoldDeferred(
  batches: readonly FoldedBatch[],
  random: SeededRandom,
  absentPercent: number,
): Deferred {
  const proof = new StreamProof("web", passedBytes());
  const unfolder = new StreamUnfolder("web", { proof });
  const { putOff } = unfolder;
  const outstanding = new Map<number, Uint8Array>();
  const delivered: Uint8Array[] = [];
  const counts = { arrived: 0, early: 0, dropped: 0, named: 0 };
  const arrive = (name: number): void => {
    const page = (outstanding.get(name) as Uint8Array).slice();
    outstanding.delete(name);
    const { words, from } = hashPages(page);
    const before = putOff.waitingCount;
    if (!putOff.arrived(name, page, words, from)) throw new Error(`nobody needs ${name}`);
    if (putOff.waitingCount < before) counts.arrived++;
    else counts.early++;
    page.fill(0xcc);
  };
  const arriveSome = (percent: number): void => {
    for (const name of [...outstanding.keys()].sort(() => random.int(3) - 1)) {
      if (random.int(100) < percent) arrive(name);
    }
  };
  for (const batch of batches) {
    const pages = batch.pages.slice();
    const absent = { pages: [] as number[], names: [] as number[] };
    for (let page = 0; page < batch.frames.length; page++) {
      if (random.int(100) >= absentPercent) continue;
      const place = pages.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
      const name = counts.named++;
      absent.pages.push(page);
      absent.names.push(name);
      outstanding.set(name, place.slice());
      putOff.expect(name);
      place.fill(0xbb);
    }
    arriveSome(random.int(4) === 0 ? 60 : 5);
    if (batch.settles) for (const name of putOff.missing(absent.names)) arrive(name);
    const into = new Uint8Array(StreamUnfolder.roomFor(batch.streamBytes));
    const hashes = hashPages(pages);
    const { length } = batch.frames;
    const written = unfolder.unfold(batch.script, pages, length, into, { absent, hashes });
    if (unfolder.streamBytes !== batch.streamBytes) throw new Error("other bytes of the stream");
    delivered.push(...putOff.takePieces(), into.subarray(0, written));
    for (const name of putOff.takeDropped()) {
      if (!outstanding.delete(name)) throw new Error(`${name} was dropped behind its arrival`);
      counts.dropped++;
    }
  }
  return { bytes: Buffer.concat(delivered), proof: proof.digest(), unfolder, ...counts };
}
