// Mutated dumps: they come back byte by byte, are something else, or are refused in a line.
import { describe, expect, test } from "vitest";
import { recompress } from "../../../src/image/recompress.ts";
import { fuzzImage } from "../../support/imagefuzz.ts";
import { flatten, makeKdump, somePages } from "../../support/kdump.ts";

/** The long form of 100 000 rounds takes some minutes. */
const LONG_MS = 60 * 60_000;
const erased = Buffer.from("erase symbols");
const usual = makeKdump({ pages: somePages(1, 12, ["zlib", "zlib", "plain", "shared"]), erased });
const small = makeKdump({ pages: somePages(2, 6, ["zlib", "shared"]), is32: true, version: 4 });
const snappy = makeKdump({ pages: somePages(4, 6, ["snappy", "shared"]) });
const zstd = makeKdump({ pages: somePages(3, 6, ["zstd", "shared"]), erased });

describe("kdump: mutated", () => {
  test.each([
    ["a dump", usual, "kdump"],
    ["a dump of a machine of 32 bits", small, "kdump"],
    ["a dump with snappy", snappy, "kdump"],
    ["a flattened dump", flatten(usual, [464, 4096, 3000]), "kdump"],
    ["a dump of another compressor", zstd, "kdump in kdump-zstd"],
  ])("%s", { timeout: LONG_MS }, async (name, good, expected) => {
    // Most of what is there are pages.
    const outcomes = await fuzzImage(good, { name, hotBytes: 5 * 4096, recompress });
    expect(outcomes.get(expected)).toBeGreaterThan(0);
  });
});
