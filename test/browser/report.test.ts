// The report page in Chromium: what it draws, what it asks for, how it is used.
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { reportPage } from "../../src/report/html.ts";
import { KINDS } from "../../src/report/kindcodes.ts";
import { useChromium } from "../support/chromium.ts";
import { madeExplanation } from "../support/explained.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const random = seededRandom(randomSeed("report"));
const open = useChromium();
const FRAMES_256_MIB = 65_536;

function namesOf(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `vm${i}.raw`);
}

function pageOf(count: number, frameCount: number, more: { address?: bigint } = {}) {
  const size = { names: namesOf(count), frameCount, ...more };
  const { kinds, explanation } = madeExplanation(random, size);
  return { kinds, html: reportPage(explanation) };
}

test("draws 4 x 256 MiB in under two seconds and asks for nothing", async () => {
  const { html } = pageOf(4, FRAMES_256_MIB);
  expect(html.length).toBeLessThan(3 << 20);
  const times: number[] = [];
  for (let round = 0; round < 3; round++) {
    const { page, complaints, requests, drawnMs } = await open(html);
    expect({ complaints, requests }).toEqual({ complaints: [], requests: [] });
    expect(await page.locator("section").count()).toBe(6);
    expect(await page.locator(".chart svg").count()).toBe(3 + 4);
    expect(await page.locator("canvas").count()).toBe(4);
    times.push(drawnMs);
  }
  console.log(`report of 4 x 256 MiB: ${html.length} bytes, drawn in ${times.join(", ")} ms`);
  expect(Math.min(...times)).toBeLessThan(2000);
});

/** What is behind a click, without clicking a hundred times. */
async function openDetails(page: Page): Promise<void> {
  await page.locator("details").evaluateAll((all) => {
    for (const details of all) (details as HTMLDetailsElement).open = true;
  });
  await page.waitForTimeout(200);
}

/** Colours at points of the first canvas in CSS pixels, and those of all kinds, lines last. */
async function colorsAt(page: Page, points: readonly (readonly [number, number])[]) {
  return page.evaluate(
    ({ points, names }) => {
      const canvas = document.querySelector("canvas") as HTMLCanvasElement;
      const context = canvas.getContext("2d") as CanvasRenderingContext2D;
      const style = getComputedStyle(document.documentElement);
      const found = points.map(([x, y]) => {
        const [left, top] = [x * devicePixelRatio, y * devicePixelRatio].map(Math.floor);
        const [r, g, b] = context.getImageData(left, top, 1, 1).data;
        return `#${[r, g, b].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
      });
      return { found, palette: names.map((name) => style.getPropertyValue(`--${name}`).trim()) };
    },
    { points, names: [...KINDS, "faded", "surface"] },
  );
}

/** The same at the middle of all cells of a map that is seen as a whole. */
async function colors(page: Page, cellCount: number) {
  const canvas = page.locator("canvas").first();
  const columns = Number(await canvas.getAttribute("data-columns"));
  const scale = Number(await canvas.getAttribute("data-scale"));
  const points = Array.from({ length: cellCount }, (_, cell) => {
    return [((cell % columns) + 0.5) * scale, (Math.floor(cell / columns) + 0.5) * scale] as const;
  });
  return colorsAt(page, points);
}

test.each([
  [1, "light"],
  [2, "dark"],
] as const)("paints the cells in the colours of their kinds (%d, %s)", async (ratio, scheme) => {
  const { html, kinds } = pageOf(1, 3000);
  const { page } = await open(html, { deviceScaleFactor: ratio, colorScheme: scheme });
  const { found, palette } = await colors(page, 3000);
  expect(found).toEqual([...kinds[0]].map((kind) => palette[kind]));
  // The legend shows one kind alone.
  await page.getByRole("button", { name: "similar" }).click();
  const alone = await colors(page, 3000);
  const similar = KINDS.indexOf("similar");
  expect(alone.found).toEqual(
    [...kinds[0]].map((kind) => palette[kind === similar ? kind : KINDS.length]),
  );
});

test("follows the colour scheme while it is open", async () => {
  const { html, kinds } = pageOf(1, 1000);
  const { page } = await open(html, { colorScheme: "light" });
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = { background: await background(), ...(await colors(page, 1000)) };
  await page.emulateMedia({ colorScheme: "dark" });
  await page.waitForTimeout(200);
  const dark = { background: await background(), ...(await colors(page, 1000)) };
  expect(light.background).not.toBe(dark.background);
  expect(dark.palette).not.toEqual(light.palette);
  expect(dark.found).toEqual([...kinds[0]].map((kind) => dark.palette[kind]));
});

test("is used by keyboard alone", async () => {
  const { html } = pageOf(1, FRAMES_256_MIB, { address: 0x1_0000_0000n });
  const { page } = await open(html);
  const canvas = page.locator("canvas");
  const told = page.locator("output");
  const scale = async () => Number(await canvas.getAttribute("data-scale"));
  const columns = Number(await canvas.getAttribute("data-columns"));
  const whole = await scale();
  // Every control is reached by Tab; the first link skips to the content.
  await page.keyboard.press("Tab");
  expect(await page.evaluate(() => document.activeElement?.className)).toBe("skip");
  for (let n = 0; n < 60; n++) {
    await page.keyboard.press("Tab");
    if (await canvas.evaluate((element) => element === document.activeElement)) break;
  }
  for (const key of ["ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft"]) {
    await page.keyboard.press(key);
  }
  const frame = columns + 1;
  const address = (0x1_0000_0000 + frame * 4096).toString(16);
  await expect.poll(() => told.textContent()).toContain(`frame 0x${frame.toString(16)} (`);
  expect(await told.textContent()).toContain(`address 0x${address} `);
  await page.keyboard.press("+");
  await page.keyboard.press("+");
  expect(await scale()).toBeCloseTo(whole * 2.25, 1);
  await page.keyboard.press("End");
  await expect.poll(() => told.textContent()).toContain("frame 0xffff (65,535)");
  await page.keyboard.press("0");
  expect(await scale()).toBeCloseTo(whole, 2);
  await page.keyboard.press("Home");
  await expect.poll(() => told.textContent()).toContain("frame 0x0 (0)");
});

test("enlarges by wheel where it was asked to, down to the page", async () => {
  const { html, kinds } = pageOf(1, FRAMES_256_MIB);
  const { page } = await open(html);
  const canvas = page.locator("canvas");
  await canvas.scrollIntoViewIfNeeded();
  const scale = async () => Number(await canvas.getAttribute("data-scale"));
  const whole = await scale();
  const box = (await canvas.boundingBox()) as { x: number; y: number; width: number };
  await page.mouse.move(box.x + 301, box.y + 101);
  await page.mouse.wheel(0, -10);
  await page.waitForTimeout(100);
  expect(await scale()).toBe(whole);
  await canvas.scrollIntoViewIfNeeded();
  const place = (await canvas.boundingBox()) as { x: number; y: number };
  await page.mouse.click(place.x + 301, place.y + 101);
  const columns = Number(await canvas.getAttribute("data-columns"));
  const cell = Math.floor(101 / whole) * columns + Math.floor(301 / whole);
  const says = `frame 0x${cell.toString(16)} (`;
  await expect.poll(() => page.locator("output").textContent()).toContain(says);
  for (let n = 0; n < 30; n++) await page.mouse.wheel(0, -240);
  await expect.poll(scale).toBe(28);
  // What was under the pointer stays there.
  await expect.poll(() => page.locator("output").textContent()).toContain(says);
  const { found, palette } = await colorsAt(page, [[301, 101]]);
  // Close to the border of a cell there is a line instead.
  expect([palette[kinds[0][cell]], palette[KINDS.length + 1]]).toContain(found[0]);
});

test("enlarges by two fingers", async () => {
  const { html } = pageOf(1, FRAMES_256_MIB);
  const { page } = await open(html, { hasTouch: true, viewport: { width: 390, height: 844 } });
  const canvas = page.locator("canvas");
  await canvas.scrollIntoViewIfNeeded();
  const { x, y } = (await canvas.boundingBox()) as { x: number; y: number };
  const scale = async () => Number(await canvas.getAttribute("data-scale"));
  const whole = await scale();
  const session = await page.context().newCDPSession(page);
  const touch = (type: "touchStart" | "touchMove" | "touchEnd", apart: number) =>
    session.send("Input.dispatchTouchEvent", {
      type,
      touchPoints:
        type === "touchEnd"
          ? []
          : [
              { x: x + 150 - apart, y: y + 60, id: 0 },
              { x: x + 150 + apart, y: y + 60, id: 1 },
            ],
    });
  await touch("touchStart", 20);
  for (let apart = 20; apart <= 60; apart += 4) await touch("touchMove", apart);
  await touch("touchEnd", 0);
  await expect.poll(scale).toBeCloseTo(whole * 3, 1);
});

test.each([
  [390, 1],
  [390, 64],
  [320, 4],
  [1280, 64],
])("fits %d pixels with %d images of any name", async (width, count) => {
  const names = namesOf(count).map((name) => `${"long-directory-name".repeat(9)}/${name}`);
  const { explanation } = madeExplanation(random, { names, frameCount: 4096 });
  const html = reportPage(explanation);
  const { page, complaints, drawnMs } = await open(html, { viewport: { width, height: 844 } });
  await openDetails(page);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
  expect(complaints).toEqual([]);
  console.log(`${count} images at ${width} pixels: drawn in ${drawnMs} ms`);
});

test("takes hostile names for text", async () => {
  const names = [
    '<img src=x onerror="window.hacked=1">',
    "</script><script>window.hacked=1</script>",
    "evil\u202egnp.raw\n\u0000",
    "'\"&amp;<!--",
  ];
  const { explanation } = madeExplanation(random, { names, frameCount: 64 });
  const { page, complaints, requests } = await open(reportPage(explanation));
  await openDetails(page);
  const text = (await page.locator("main").textContent()) as string;
  for (const shown of [names[0], names[1], "evil\\u{202e}gnp.raw\\u{a}\\u{0}", names[3]]) {
    expect(text).toContain(shown);
  }
  expect(await page.locator("img").count()).toBe(0);
  expect(await page.evaluate(() => "hacked" in window)).toBe(false);
  expect({ complaints, requests }).toEqual({ complaints: [], requests: [] });
});

test("lets no other script run, and nothing be loaded", async () => {
  const { html } = pageOf(1, 64);
  const { page, complaints } = await open(html);
  await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.hacked = 1";
    const image = document.createElement("img");
    image.src = "http://127.0.0.1:9/x.png";
    document.body.append(script, image);
  });
  await expect.poll(() => complaints.length).toBe(2);
  expect(complaints.join()).toMatch(/script-src .*img-src /s);
  expect(await page.evaluate(() => "hacked" in window)).toBe(false);
});

test("says in tables what it draws, and names what can be used", async () => {
  const { html } = pageOf(2, 5000);
  const { page } = await open(html);
  await openDetails(page);
  // Steps, images, sharing, and the entropy of each image.
  expect(await page.locator("table").count()).toBe(3 + 2);
  const nameless = await page.evaluate(() => {
    const used = [...document.querySelectorAll("button, canvas, svg[role=img], nav, section")];
    return used.filter((element) => {
      const label = element.getAttribute("aria-label") ?? element.getAttribute("aria-labelledby");
      return !label && !element.textContent?.trim();
    }).length;
  });
  expect(nameless).toBe(0);
  const levels = await page.locator("h1, h2, h3").evaluateAll((all) => all.map((h) => h.tagName));
  expect(levels[0]).toBe("H1");
  expect(levels.filter((level) => level === "H1")).toHaveLength(1);
});

test("keeps still for who wants no motion", async () => {
  const { html } = pageOf(1, 64);
  const { page } = await open(html, { reducedMotion: "reduce" });
  const behavior = () => getComputedStyle(document.documentElement).scrollBehavior;
  expect(await page.evaluate(behavior)).toBe("auto");
});
