// Opens report pages in the Chromium of the system, and notes what they ask for and complain of.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, onTestFinished } from "vitest";
import { temporaryFolder } from "./folder.ts";

export interface OpenReport {
  page: Page;
  /** Lines on the console, and errors. */
  complaints: string[];
  /** Addresses of all requests but the page itself. */
  requests: string[];
  /** From the beginning of the page's life until everything was drawn. */
  drawnMs: number;
}

/** For all tests of a file. */
export function useChromium() {
  let browser: Browser | undefined;
  beforeAll(async () => {
    const executablePath = execFileSync("sh", ["-c", "command -v chromium"]).toString().trim();
    // Whoever is root, as in a container, has no sandbox.
    const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
    browser = await chromium.launch({ executablePath, args });
  });
  afterAll(() => browser?.close());

  /** Opens a page and waits until it is drawn. */
  return async (html: Uint8Array, options: BrowserContextOptions = {}): Promise<OpenReport> => {
    const path = join(temporaryFolder(), "report.html");
    writeFileSync(path, html);
    const viewport = { width: 1280, height: 900 };
    const context = await (browser as Browser).newContext({ viewport, ...options });
    onTestFinished(() => context.close());
    const page = await context.newPage();
    const complaints: string[] = [];
    const requests: string[] = [];
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(String(error)));
    const url = pathToFileURL(path).href;
    page.on("request", (request) => {
      if (request.url() !== url && !request.url().startsWith("data:")) requests.push(request.url());
    });
    await page.goto(url);
    const drawn = () => document.documentElement.dataset.drawnMs;
    const handle = await page.waitForFunction(drawn, undefined, { timeout: 20_000 });
    return { page, complaints, requests, drawnMs: Number(await handle.jsonValue()) };
  };
}
