// Hostile archives: heads and clusters that were changed and summed up again, so that everything
// behind the checksums is reached. Only errors with a code may come out.
import { pathToFileURL } from "node:url";
import { inflateRawSync } from "node:zlib";
import { beforeAll, describe, expect, it } from "vitest";
import { openArchive } from "../../src/archive/reader.ts";
import { verifyArchive } from "../../src/archive/verify.ts";
import { PagefoldError } from "../../src/core/errors.ts";
import { BATCH_HEADER_BYTES, BatchType, encodeBatch } from "../../src/wire/batch.ts";
import { type Checksum, loadChecksum } from "../../src/wire/checksum.ts";
import { encodeFooter, encodeSuperblock } from "../../src/wire/superblock.ts";
import { ArchiveBuilder, copyOp, insertOp } from "../support/archivebuilder.ts";
import { wasmPath } from "../support/kernels.ts";
import { randomSeed, seededRandom } from "../support/random.ts";
import { accessTo, freshPage, sampleArchive, stored } from "../support/samplearchive.ts";

/** The debug build: hostile bytes must not reach an assertion of the kernels. */
const wasm = pathToFileURL(wasmPath("debug"));
let checksum: Checksum;
beforeAll(async () => {
  checksum = await loadChecksum();
});

function sumUpBatch(bytes: Buffer, at: number): void {
  const headEnd = at + BATCH_HEADER_BYTES + bytes.readUInt32LE(at + 12);
  const sum = checksum(
    bytes.subarray(at, at + 56),
    bytes.subarray(at + BATCH_HEADER_BYTES, headEnd),
  );
  bytes.writeBigUInt64LE(sum, at + 56);
}

/** Offsets of heads, and of clusters, in an intact archive. */
function partsOf(bytes: Buffer) {
  const heads: { type: number; at: number; from: number; to: number }[] = [];
  const clusters: { at: number; end: number }[] = [];
  for (let at = 8192; at < bytes.length; ) {
    const from = at + BATCH_HEADER_BYTES;
    const to = from + bytes.readUInt32LE(at + 12);
    const end = to + Number(bytes.readBigUInt64LE(at + 16));
    heads.push({ type: bytes[at + 4], at, from, to });
    for (let cluster = to; cluster < end; ) {
      const next = cluster + 24 + bytes.readUInt32LE(cluster + 8);
      clusters.push({ at: cluster, end: next });
      cluster = next;
    }
    at = end;
  }
  return { heads, clusters };
}

async function survives(bytes: Buffer): Promise<void> {
  await verifyArchive(accessTo(bytes), "A.pfa", {}, wasm).catch(coded);
  const archive = await openArchive(accessTo(bytes), { wasm }).catch(coded);
  if (!archive) return;
  for (const { name, frameCount, byteLength } of archive.images) {
    const image = archive.image(name);
    await image.readPages(0, Math.min(frameCount, 64)).catch(coded);
    await image.readBytes(0, Math.min(byteLength, 9000)).catch(coded);
  }
  await archive.usage().catch(coded);
}

function coded(error: unknown): undefined {
  if (!(error instanceof PagefoldError)) throw error;
  return undefined;
}

describe("hostile archives", () => {
  it("are refused with a code, whatever a head says", async () => {
    const random = seededRandom(randomSeed("hostile heads"));
    const { bytes } = await sampleArchive(1);
    const { heads } = partsOf(bytes);
    for (let round = 0; round < 300; round++) {
      const hostile = Buffer.from(bytes);
      const { at, from, to } = heads[random.int(heads.length)];
      if (to === from) continue;
      for (let n = 1 + random.int(3); n > 0; n--)
        hostile[from + random.int(to - from)] = random.int(256);
      sumUpBatch(hostile, at);
      await survives(hostile);
    }
  });

  it("are refused with a code, whatever the directory says", async () => {
    const random = seededRandom(randomSeed("hostile directory"));
    const { bytes } = await sampleArchive(1);
    const directory = partsOf(bytes).heads.find(({ type }) => type === BatchType.DIRECTORY);
    const { at, from, to } = directory as { at: number; from: number; to: number };
    const head = inflateRawSync(bytes.subarray(from + 4, to));
    for (let round = 0; round < 300; round++) {
      const changed = Uint8Array.from(head);
      for (let n = 1 + random.int(2); n > 0; n--)
        changed[random.int(head.length)] = random.int(256);
      const sequence = bytes.readUInt32LE(at + 8);
      const batch = encodeBatch(BatchType.DIRECTORY, sequence, changed, 0, checksum);
      const state = {
        generation: 1,
        committedLength: at + batch.length + 104,
        directoryOffset: at,
        directoryLength: batch.length,
        indexOffset: at,
      };
      const footer = encodeBatch(BatchType.FOOTER, sequence + 1, encodeFooter(state), 0, checksum);
      const hostile = Buffer.concat([bytes.subarray(0, at), batch, footer]);
      hostile.set(encodeSuperblock(state, checksum), 4096);
      await survives(hostile);
    }
  });

  it("are refused with a code, whatever a cluster says", async () => {
    const random = seededRandom(randomSeed("hostile clusters"));
    const { bytes } = await sampleArchive(1);
    const { clusters } = partsOf(bytes);
    for (let round = 0; round < 300; round++) {
      const hostile = Buffer.from(bytes);
      const { at, end } = clusters[random.int(clusters.length)];
      const length = random.int(2) === 0 ? 24 : Math.min(end - at, 80);
      for (let n = 1 + random.int(3); n > 0; n--)
        hostile[at + 8 + random.int(length - 8)] = random.int(256);
      hostile.writeBigUInt64LE(checksum(hostile.subarray(at + 8, end)), at);
      await survives(hostile);
    }
  });

  it.each<[string, (slots: { plain: Slot; delta: Slot; later: Slot }) => Slot, string]>([
    ["a delta", ({ delta }) => delta, "refers to a delta"],
    ["what comes later", ({ later }) => later, "refers forwards"],
    [
      "an item that is not there",
      ({ plain }) => ({ ...plain, item: 9 }),
      "refers to item 9 of cluster 0, which is not there",
    ],
  ])("cannot make a delta refer to %s", async (_what, choose, message) => {
    const builder = await ArchiveBuilder.create();
    const image = builder.beginImage("a");
    const page = freshPage();
    const [plain] = builder.addPages(image, 0, [stored(page)]) as Slot[];
    const whole = { kind: "delta" as const, page, ops: copyOp(0, 0, 0, 4096) };
    const [delta] = builder.addPages(image, 1, [{ ...whole, references: [plain] }]) as Slot[];
    const reference = choose({ plain, delta, later: { cluster: 3, item: 0 } });
    builder.addPages(image, 2, [{ ...whole, references: [reference] }]);
    builder.addPages(image, 3, [stored()]);
    builder.endImage(image);
    await using archive = await openArchive(accessTo(builder.finish(1)), { wasm });
    const opened = archive.image("a");
    expect(Buffer.compare(await opened.readPages(1, 1), page)).toBe(0);
    await expect(opened.readPages(2, 1)).rejects.toThrow(`cluster 2 item 0: ${message}`);
  });

  it("cannot make a delta of the wrong length", async () => {
    for (const ops of [
      insertOp(new Uint8Array(4095)),
      Buffer.concat([copyOp(0, 0, 0, 4096), insertOp(new Uint8Array(1))]),
      copyOp(0, 1, 0, 4096),
      copyOp(1, 0, 0, 4096),
      new Uint8Array(0),
    ]) {
      const builder = await ArchiveBuilder.create();
      const image = builder.beginImage("a");
      const [plain] = builder.addPages(image, 0, [stored()]) as Slot[];
      const page = freshPage();
      builder.addPages(image, 1, [{ kind: "delta", page, references: [plain], ops }]);
      builder.endImage(image);
      await using archive = await openArchive(accessTo(builder.finish(1)), { wasm });
      const read = archive.image("a").readPages(1, 1);
      await expect(read).rejects.toThrow("cluster 1 item 0: delta fault");
    }
  });
});

type Slot = { cluster: number; item: number };
