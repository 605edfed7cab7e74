// Ranges and conditions as RFC 9110 has them.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isRangeWanted, judgeConditions, parseRanges } from "../../src/serve/httprange.ts";

const ETAG = '"0123"';
const DATE = "Sat, 21 Nov 2026 00:53:42 GMT";
const VALIDATORS = { etag: ETAG, modifiedMs: Date.parse(DATE) };

describe("parseRanges", () => {
  it.each<[string | undefined, [number, number][] | undefined]>([
    [undefined, undefined],
    ["bytes=0-0", [[0, 1]]],
    ["bytes=0-99", [[0, 100]]],
    ["bytes=0-100", [[0, 100]]],
    ["bytes=99-", [[99, 100]]],
    ["bytes=100-", []],
    ["bytes=-1", [[99, 100]]],
    ["bytes=-100", [[0, 100]]],
    ["bytes=-500", [[0, 100]]],
    ["bytes=-0", []],
    ["Bytes = 1-2", [[1, 3]]],
    [
      "bytes=0-1, ,5-6,-1",
      [
        [0, 2],
        [5, 7],
        [99, 100],
      ],
    ],
    ["bytes=0-1,200-", [[0, 2]]],
    ["bytes=5-99999999999999999999999999", [[5, 100]]],
    ["bytes=99999999999999999999999999-", []],
    ["bytes=2-1", undefined],
    ["bytes=", undefined],
    ["bytes=-", undefined],
    ["bytes=a-b", undefined],
    ["bytes=1-2-3", undefined],
    ["pages=0-1", undefined],
    ["bytes=0-99,0-99", undefined],
    [`bytes=${"0-0,".repeat(33)}`, undefined],
  ])("%s", (field, expected) => {
    const found = parseRanges(field, 100)?.map(({ start, end }) => [start, end]);
    expect(found).toEqual(expected);
  });

  it("never leaves the image, whatever it is told", () => {
    const part = fc.oneof(fc.nat(), fc.constantFrom("", "-", "x", "18446744073709551616"));
    fc.assert(
      fc.property(fc.array(fc.tuple(part, part), { maxLength: 5 }), fc.nat(), (list, length) => {
        const field = `bytes=${list.map(([a, b]) => `${a}-${b}`).join(",")}`;
        const ranges = parseRanges(field, length) ?? [];
        for (const { start, end } of ranges) {
          expect(start >= 0 && start < end && end <= length).toBe(true);
        }
      }),
    );
  });
});

it("If-Range counts only for the very same bytes", () => {
  expect(isRangeWanted(undefined, VALIDATORS)).toBe(true);
  expect(isRangeWanted(ETAG, VALIDATORS)).toBe(true);
  expect(isRangeWanted(DATE, VALIDATORS)).toBe(true);
  expect(isRangeWanted(`W/${ETAG}`, VALIDATORS)).toBe(false);
  expect(isRangeWanted('"other"', VALIDATORS)).toBe(false);
  expect(isRangeWanted("Sat, 21 Nov 2026 00:53:43 GMT", VALIDATORS)).toBe(false);
});

it.each<[Record<string, string>, number | undefined]>([
  [{}, undefined],
  [{ "if-none-match": ETAG }, 304],
  [{ "if-none-match": `"x", W/${ETAG}` }, 304],
  [{ "if-none-match": "*" }, 304],
  [{ "if-none-match": '"x"', "if-modified-since": DATE }, undefined],
  [{ "if-modified-since": DATE }, 304],
  [{ "if-modified-since": "Sat, 21 Nov 2026 00:53:41 GMT" }, undefined],
  [{ "if-modified-since": "yesterday" }, undefined],
  [{ "if-match": ETAG }, undefined],
  [{ "if-match": `W/${ETAG}` }, 412],
  [{ "if-match": "*" }, undefined],
  [{ "if-unmodified-since": "Sat, 21 Nov 2026 00:53:41 GMT" }, 412],
  [{ "if-unmodified-since": DATE }, undefined],
])("conditions %j: %s", (headers, expected) => {
  expect(judgeConditions(headers, VALIDATORS)).toBe(expected);
});
