// The manners of the library: what it gives is private, it installs and prints nothing, and it
// keeps no process alive.
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import type { PackInput } from "../src/api.ts";
import { openArchive } from "../src/archive/reader.ts";
import { openEngine } from "../src/engine.ts";
import { openTestEngine } from "./support/engine.ts";
import { temporaryFolder } from "./support/folder.ts";
import { mixed } from "./support/images.ts";
import { seededRandom } from "./support/random.ts";

const image = mixed(seededRandom(101), 600);

function prepared() {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "a.raw"), image);
  const input: PackInput = { name: "a", path: join(folder, "a.raw"), notes: { of: "a" } };
  return { folder, input, path: join(folder, "A.pfa") };
}

/** Demands that nothing reachable from `value` shows shared memory; returns the arrays it met. */
function expectPrivate(value: unknown, seen = new Set<unknown>()): Uint8Array[] {
  if (typeof value !== "object" || value === null || seen.has(value)) return [];
  seen.add(value);
  expect(value).not.toBeInstanceOf(SharedArrayBuffer);
  if (ArrayBuffer.isView(value)) {
    expect(value.buffer).toBeInstanceOf(ArrayBuffer);
    return value instanceof Uint8Array ? [value] : [];
  }
  const parts = value instanceof Map ? [...value.entries()].flat() : Object.values(value);
  return parts.flatMap((part) => expectPrivate(part, seen));
}

describe("engine", () => {
  it.each([0, 2])("gives private bytes only, with %i threads", async (threads) => {
    const engine = await openTestEngine({ threads });
    const { folder, input, path } = prepared();
    const given: Uint8Array[] = [];
    const write = async (bytes: Uint8Array): Promise<void> => {
      given.push(...expectPrivate(bytes));
    };
    const asked = new Set<unknown>();
    const source = {
      frameCount: 300,
      async read(frame: number, count: number, into: Uint8Array): Promise<void> {
        asked.add(into.buffer);
        into.set(image.subarray(frame * 4096, (frame + count) * 4096));
      },
    };
    const onProgress = (progress: unknown): unknown => expectPrivate(progress);
    const options = { digests: ["sha256" as const], onProgress };
    expectPrivate(await engine.pack([input, { name: "s", source }], { write }, options));
    for (const buffer of asked) expect(buffer).toBeInstanceOf(ArrayBuffer);
    expect(given.length).toBeGreaterThan(3);
    writeFileSync(path, Buffer.concat(given));
    expectPrivate(await engine.append(path, [{ ...input, name: "b" }]));
    expectPrivate(await engine.inspect([{ name: "a", path: join(folder, "a.raw") }]));
    expectPrivate(await engine.verify({ path }));
    expectPrivate(await engine.unpack({ path }, join(folder, "out")));
    expectPrivate(await engine.repack(path, { write }));
    await using archive = await openArchive(path);
    expect(expectPrivate(archive.images).length).toBeGreaterThan(0);
    expectPrivate(await archive.image("a").readPages(0, 20));
    expectPrivate(await archive.image("s").readBytes(5, 20));
    expectPrivate(await archive.usage());
    // What was given stays what it was while the engine goes on.
    const piped = Buffer.concat(given.slice(0, 3));
    await engine.inspect([{ name: "a", path: join(folder, "a.raw") }]);
    expect(Buffer.compare(piped, Buffer.concat(given.slice(0, 3)))).toBe(0);
  });

  it("installs no handlers and prints nothing", async () => {
    const events = ["SIGINT", "SIGTERM", "SIGHUP", "exit", "uncaughtException", "warning"];
    const counts = () => events.map((event) => process.listenerCount(event));
    const before = counts();
    const out = vi.spyOn(process.stdout, "write");
    const err = vi.spyOn(process.stderr, "write");
    const engine = await openTestEngine();
    const { folder, input, path } = prepared();
    await engine.pack([input], { path });
    await engine.unpack({ path }, folder);
    expect(counts()).toEqual(before);
    expect([out.mock.calls, err.mock.calls]).toEqual([[], []]);
    vi.restoreAllMocks();
  });

  it("does several things at a time", async () => {
    const engine = await openTestEngine({ memoryBytes: 256 << 20 });
    const { folder, input, path } = prepared();
    await Promise.all([
      engine.pack([input], { path }),
      engine.inspect([{ name: "a", path: join(folder, "a.raw") }]),
      engine.pack([{ ...input, name: "x" }], { path: join(folder, "B.pfa") }),
    ]);
    await Promise.all([
      engine.unpack({ path }, join(folder, "out")),
      engine.unpack({ path: join(folder, "B.pfa") }, join(folder, "out")),
      engine.repack(path, { path: join(folder, "C.pfa") }),
    ]);
    for (const name of ["a", "x"]) {
      expect(Buffer.compare(readFileSync(join(folder, "out", name)), image)).toBe(0);
    }
  });

  it.each([
    [{ threads: -1 }, "threads: -1 is not a count"],
    [{ threads: 1.5 }, "threads: 1.5 is not a count"],
    [{ memoryBytes: 1000 }, "memory: 1000 bytes, at least 67108864"],
    [{ memoryBytes: Number.NaN }, "memory: NaN bytes"],
  ])("refuses %o", async (options, message) => {
    await expect(openEngine(options)).rejects.toMatchObject({ code: "USAGE" });
    await expect(openEngine(options)).rejects.toThrow(message);
  });

  it.each([0, 2])("that was never closed holds no process, with %i threads", async (threads) => {
    const { folder, input, path } = prepared();
    const index = new URL("../dist/index.js", import.meta.url).href;
    const script = join(folder, "script.mjs");
    writeFileSync(
      script,
      `import { openEngine } from ${JSON.stringify(index)};
       const engine = await openEngine({ threads: ${threads}, memoryBytes: 128 << 20 });
       const inputs = [${JSON.stringify(input)}];
       const report = await engine.pack(inputs, { path: ${JSON.stringify(path)} });
       console.log(report.images[0].frameCount);`,
    );
    const child = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "pipe"] });
    const parts: string[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (text) => parts.push(String(text)));
    }
    const timer = setTimeout(() => child.kill("SIGKILL"), 20_000);
    const code = await new Promise((resolve) => child.on("close", resolve));
    clearTimeout(timer);
    expect([code, parts.join("")]).toEqual([0, "600\n"]);
  });
});
