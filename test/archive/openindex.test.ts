// The index as appenders and recovery see it: contents in order, and the same answers from a scan.
import { describe, expect, it } from "vitest";
import { leavesOf } from "../../src/archive/index.ts";
import { openIndex, recoverIndex } from "../../src/archive/openindex.ts";
import { scanArchive } from "../../src/archive/scan.ts";
import { loadChecksum } from "../../src/wire/checksum.ts";
import { RecordKind } from "../../src/wire/records.ts";
import { ArchiveBuilder } from "../support/archivebuilder.ts";
import { accessTo, sampleArchive, stored } from "../support/samplearchive.ts";

describe("openIndex", () => {
  it("lists the fingerprints of all stored pages, in order", async () => {
    const { bytes, builder } = await sampleArchive(1);
    const { index } = await openIndex(accessTo(bytes), "A.pfa");
    const found: string[] = [];
    let next = 0;
    for await (const { firstCluster, places, fingerprints } of index.contents()) {
      expect(firstCluster).toBe(next);
      next += places.length;
      const hex = Buffer.from(fingerprints).toString("hex");
      for (let at = 0; at < hex.length; at += 32) found.push(hex.slice(at, at + 32));
    }
    expect(next).toBe(index.clusterCount);
    expect(found.length).toBe(new Set(found).size);
    const frames = builder.images.flatMap(({ pages }) => pages);
    const known = new Set(
      frames.map((page) => Buffer.from(builder.fingerprint(page)).toString("hex")),
    );
    expect(found.every((fingerprint) => known.has(fingerprint))).toBe(true);
  });
});

describe("recoverIndex", () => {
  it("answers from a scan as the index would", async () => {
    const { bytes } = await sampleArchive(1);
    const { index } = await openIndex(accessTo(bytes), "A.pfa");
    const source = {
      access: accessTo(bytes),
      end: bytes.length,
      checksum: await loadChecksum(),
      seal: undefined,
      signal: undefined,
    };
    const scanned = await scanArchive(source, (fault) => expect.unreachable(fault));
    expect(scanned.images).toEqual(index.images);
    expect(scanned.clusterCount).toBe(index.clusterCount);
    for (let cluster = 0; cluster < index.clusterCount; cluster++) {
      expect(await scanned.placeOf(cluster)).toEqual(await index.placeOf(cluster));
    }
  });

  it("keeps what later rounds say", async () => {
    const builder = await ArchiveBuilder.create();
    const image = builder.beginImage("live");
    builder.addPages(
      image,
      0,
      Array.from({ length: 8 }, () => stored()),
    );
    builder.endImage(image);
    builder.addPages(image, 1, [{ kind: "zero" }, { kind: "skip" }, { kind: "zero" }]);
    builder.addPages(image, 3, [{ kind: "uniform", word: 5n }, { kind: "skip" }]);
    builder.endImage(image);
    const piped = builder.finish(0);
    const cut = piped.subarray(0, piped.length - 1);
    const faults: string[] = [];
    const { index } = await recoverIndex(accessTo(cut), "A.pfa", (fault) => faults.push(fault));
    expect(faults[0]).toContain("no footer at the end");
    const kinds: number[] = [];
    for await (const leaf of leavesOf(index, 0)) {
      for (const run of leaf.runs) kinds.push(...Array(run.length).fill(run.kind));
    }
    const { ZERO, UNIFORM, DUPLICATE } = RecordKind;
    const rest = [DUPLICATE, DUPLICATE, DUPLICATE, DUPLICATE];
    expect(kinds).toEqual([DUPLICATE, ZERO, DUPLICATE, UNIFORM, ...rest]);
  });
});
