// An operation that is aborted rejects with the reason, leaves no file and no busy worker, and
// gives all its memory back: the same engine goes on as if nothing had been.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Engine, OperationOptions, PackInput } from "../../src/api.ts";
import { collector, openTestEngine, resourcesOf } from "../support/engine.ts";
import { temporaryFolder } from "../support/folder.ts";
import { mixed, noise } from "../support/images.ts";
import { seededRandom } from "../support/random.ts";

const REASON = new Error("the user is tired of it");

/** Aborts at the first sign of progress. */
function aborting(): OperationOptions {
  const controller = new AbortController();
  return { signal: controller.signal, onProgress: () => controller.abort(REASON) };
}

const image = noise(seededRandom(31), 6000);

function prepared() {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "a.raw"), image);
  return { folder, input: { name: "a", path: join(folder, "a.raw") } };
}

/** Packs and unpacks something else, and demands that no memory is missing. */
async function expectFit(engine: Engine, freeBytes: number): Promise<void> {
  expect(resourcesOf(engine).arena.largestFreeBytes).toBe(freeBytes);
  const folder = temporaryFolder();
  const bytes = mixed(seededRandom(32), 500);
  writeFileSync(join(folder, "b.raw"), bytes);
  const path = join(folder, "B.pfa");
  await engine.pack([{ name: "b", path: join(folder, "b.raw") }], { path });
  await engine.unpack({ path }, join(folder, "out"));
  expect(Buffer.compare(readFileSync(join(folder, "out/b")), bytes)).toBe(0);
  expect(resourcesOf(engine).arena.largestFreeBytes).toBe(freeBytes);
}

describe.each([0, 2])("abort, with %i threads", (threads) => {
  it("ends pack, append, inspect, unpack and repack", async () => {
    const engine = await openTestEngine({ threads });
    const free = resourcesOf(engine).arena.largestFreeBytes;
    const { folder, input } = prepared();
    const path = join(folder, "A.pfa");
    await expect(engine.pack([input], { path }, aborting())).rejects.toBe(REASON);
    await expect(engine.pack([input], collector(), aborting())).rejects.toBe(REASON);
    await expect(engine.inspect([input], aborting())).rejects.toBe(REASON);
    expect(readdirSync(folder)).toEqual(["a.raw"]);
    await expectFit(engine, free);
    await engine.pack([input], { path });
    const archive = readFileSync(path);
    const again = { ...input, name: "again" };
    await expect(engine.append(path, [again], aborting())).rejects.toBe(REASON);
    const output = { path: join(folder, "C.pfa") };
    await expect(engine.repack(path, output, aborting())).rejects.toBe(REASON);
    const out = join(folder, "out");
    await expect(engine.unpack({ path }, out, aborting())).rejects.toBe(REASON);
    expect(readdirSync(out)).toEqual([]);
    expect(readdirSync(folder).sort()).toEqual(["A.pfa", "a.raw", "out"]);
    expect(Buffer.compare(readFileSync(path), archive)).toBe(0);
    await expectFit(engine, free);
  });

  it("does nothing when it comes first", async () => {
    const engine = await openTestEngine({ threads });
    const free = resourcesOf(engine).arena.largestFreeBytes;
    const { folder, input } = prepared();
    const signal = AbortSignal.abort(REASON);
    const path = join(folder, "A.pfa");
    await expect(engine.pack([input], { path }, { signal })).rejects.toBe(REASON);
    await expect(engine.inspect([input], { signal })).rejects.toBe(REASON);
    expect(readdirSync(folder)).toEqual(["a.raw"]);
    await engine.pack([input], { path });
    await expect(engine.verify({ path }, { signal })).rejects.toBe(REASON);
    await expect(engine.unpack({ path }, folder, { signal })).rejects.toBe(REASON);
    await expect(engine.append(path, [{ ...input, name: "b" }], { signal })).rejects.toBe(REASON);
    expect(readdirSync(folder).sort()).toEqual(["A.pfa", "a.raw"]);
    await expectFit(engine, free);
  });

  it("does not wait for a silent stream or page source", async () => {
    const engine = await openTestEngine({ threads });
    const free = resourcesOf(engine).arena.largestFreeBytes;
    let isClosed = false;
    const bytes = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise<IteratorResult<Uint8Array>>(() => undefined),
        async return() {
          isClosed = true;
          return { done: true as const, value: undefined };
        },
      }),
    };
    const source = { frameCount: 3, read: () => new Promise<void>(() => undefined) };
    const inputs: PackInput[] = [
      { name: "stream", bytes },
      { name: "source", source },
    ];
    for (const input of inputs) {
      const signal = AbortSignal.timeout(20);
      const packing = engine.pack([input], collector(), { signal });
      await expect(packing).rejects.toMatchObject({ name: "TimeoutError" });
    }
    expect(isClosed).toBe(true);
    await expectFit(engine, free);
  });
});

describe("a failure", () => {
  it("of input or output gives everything back", async () => {
    const engine = await openTestEngine();
    const free = resourcesOf(engine).arena.largestFreeBytes;
    const { folder, input } = prepared();
    const failing = async function* (): AsyncGenerator<Uint8Array> {
      yield image.subarray(0, 3 << 20);
      throw REASON;
    };
    const path = join(folder, "A.pfa");
    const packing = engine.pack([input, { name: "b", bytes: failing() }], { path });
    await expect(packing).rejects.toBe(REASON);
    let written = 0;
    const write = async (bytes: Uint8Array): Promise<void> => {
      written += bytes.length;
      if (written > 2 << 20) throw REASON;
    };
    await expect(engine.pack([input], { write })).rejects.toBe(REASON);
    const missing = { name: "m", path: join(folder, "missing") };
    await expect(engine.pack([input, missing], { path })).rejects.toMatchObject({ code: "INPUT" });
    expect(readdirSync(folder)).toEqual(["a.raw"]);
    await expectFit(engine, free);
  });

  it.each([1, 22])("to get memory in %i MiB gives back what it got", async (mib) => {
    const engine = await openTestEngine();
    const { arena } = resourcesOf(engine);
    const { folder, input } = prepared();
    const taken = arena.reserve(arena.largestFreeBytes - (mib << 20), "somebody else");
    const free = arena.largestFreeBytes;
    const packing = engine.pack([input], { path: join(folder, "A.pfa") });
    await expect(packing).rejects.toMatchObject({ code: "LIMIT" });
    expect(arena.largestFreeBytes).toBe(free);
    arena.release(taken);
    await expectFit(engine, arena.largestFreeBytes);
  });
});
