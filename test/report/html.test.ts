// The report page as a file: never larger than it may be, and nothing of an image is markup.
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { inflateSync } from "fflate";
import { expect, test } from "vitest";
import { MAX_REPORT_BYTES, reportPage, writeReport } from "../../src/report/html.ts";
import { KIND_COUNT } from "../../src/report/kindcodes.ts";
import { decodePayload } from "../../src/report/payload.ts";
import { madeExplanation } from "../support/explained.ts";
import { temporaryFolder } from "../support/folder.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const random = seededRandom(randomSeed("html"));

function payloadOf(page: Uint8Array) {
  const text = Buffer.from(page).toString("utf8");
  const [, base64] = /<script type="text\/plain" id="payload">([A-Za-z0-9+/=]*)<\/script>/.exec(
    text,
  ) as RegExpExecArray;
  return decodePayload(inflateSync(Buffer.from(base64, "base64")));
}

test.each([
  [1, 1 << 20],
  [4, 65_536],
  [128, 8192],
])("%d images of %d pages of random kinds fit", (count, frameCount) => {
  const names = Array.from({ length: count }, (_, i) => `${i}${"\u{1f4a9}".repeat(1000)}`);
  const { explanation } = madeExplanation(random, { names, frameCount, longestRun: 1 });
  const page = reportPage(explanation);
  expect(page.length).toBeLessThanOrEqual(MAX_REPORT_BYTES);
  const { text } = payloadOf(page);
  const scales = new Set(text.maps.map(({ framesPerCell }) => framesPerCell));
  expect(scales.size).toBe(1);
  const [framesPerCell] = scales;
  // A page of memory is a cell, as far as that is possible at all.
  if (count * frameCount <= 1 << 18) expect(framesPerCell).toBe(1);
  expect(framesPerCell).toBeLessThanOrEqual(4);
  console.log(`${count} x ${frameCount}: ${page.length} bytes, ${framesPerCell} pages a cell`);
});

test("cells that say more than there is room for become fewer", () => {
  const { explanation } = madeExplanation(random, { names: ["a", "b"], frameCount: 64 });
  const cellCount = 1 << 19;
  const framesPerCell = 64;
  const counts = Uint32Array.from({ length: cellCount * KIND_COUNT }, () => random.int(18));
  const entropySums = Float64Array.from({ length: cellCount }, () => random.int(64 << 15));
  const frameCount = cellCount * framesPerCell;
  const large = { framesPerCell, cellCount, frameCount, counts, entropySums, addresses: [] };
  const page = reportPage({ ...explanation, maps: [large, large] });
  expect(page.length).toBeLessThanOrEqual(MAX_REPORT_BYTES);
  const { maps } = payloadOf(page).text;
  expect(maps[0].framesPerCell).toBeGreaterThan(framesPerCell);
  expect(maps).toEqual([maps[0], maps[0]]);
  expect(maps[0].framesPerCell * maps[0].cellCount).toBe(frameCount);
});

test("the same explanation gives the same page", () => {
  const { explanation } = madeExplanation(random, { names: ["a"], frameCount: 100 });
  expect(Buffer.compare(reportPage(explanation), reportPage(explanation))).toBe(0);
});

test("names are in the page deflated alone, and the page asks for nothing", () => {
  const name = '</script><img src="https://example.org/x.png" onerror=alert(1)>';
  const { explanation } = madeExplanation(random, { names: [name], frameCount: 10 });
  const page = Buffer.from(reportPage(explanation)).toString("utf8");
  expect(page).not.toContain("onerror=");
  expect(page).not.toMatch(/<(img|link|iframe|object|embed)[^>]*\b(src|href|data)="(?!data:,")/);
  expect(page).toMatch(/http-equiv="Content-Security-Policy" content="default-src 'none'; /);
  expect(page).toMatch(/script-src 'sha256-[A-Za-z0-9+/]{43}='; /);
  // The licences of what it is made of.
  for (const word of ["@observablehq/plot", "fflate", "d3-scale", "Permission to use, copy"]) {
    expect(page).toContain(word);
  }
});

test("a file appears complete or not at all, for its owner", async () => {
  const { explanation } = madeExplanation(random, { names: ["a"], frameCount: 10 });
  const path = join(temporaryFolder(), "r.html");
  const length = await writeReport(explanation, { path });
  expect(readFileSync(path)).toHaveLength(length);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  await expect(writeReport(explanation, { path })).rejects.toThrow(/exists already/);
  expect(await writeReport(explanation, { path, force: true })).toBe(length);
  const nowhere = join(path, "r.html");
  await expect(writeReport(explanation, { path: nowhere })).rejects.toMatchObject({
    code: "OUTPUT",
  });
  expect(existsSync(nowhere)).toBe(false);
});
