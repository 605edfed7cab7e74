// Pages that go by name: which are asked for, and what becomes of them and of those that equal
// them, batch after batch.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { levelParameters } from "../../src/archive/levels.ts";
import { DIGEST_BYTES, PAGE_BYTES } from "../../src/core/page.ts";
import { slabPart } from "../../src/core/slab.ts";
import { consecutiveFrames } from "../../src/pipeline/batch.ts";
import { type FoldParts, openFoldParts } from "../../src/pipeline/fold.ts";
import type { EngineResources } from "../../src/pipeline/resources.ts";
import { emptyCounts } from "../../src/wire/imagehead.ts";
import { type PagesHead, RecordKind } from "../../src/wire/records.ts";
import { blake3Oracle } from "../oracle/blake3.ts";
import { closeEngines, keptEngines } from "../support/engine.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const KEY = Uint8Array.from({ length: 32 }, (_, i) => i);
const SOURCE = { name: "vm", image: 0, file: undefined };
const random = seededRandom(randomSeed("namer"));
const [A, B, C] = [0, 1, 2].map(() => random.bytes(PAGE_BYTES));
const ZERO = new Uint8Array(PAGE_BYTES);
const UNIFORM = new Uint8Array(PAGE_BYTES).fill(9);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const digestOf = (page: Uint8Array): string => hex(blake3Oracle(page, KEY));
function digestsIn(list: Uint8Array): string[] {
  const one = (i: number): Uint8Array => list.subarray(i * DIGEST_BYTES, (i + 1) * DIGEST_BYTES);
  return Array.from({ length: list.length / DIGEST_BYTES }, (_, i) => hex(one(i)));
}

let resources: EngineResources;
beforeAll(async () => {
  [resources] = await keptEngines(1, { threads: 2 });
});
afterAll(closeEngines);

/** Answers as it is told, and knows what it was asked. */
class Names {
  readonly digestKey = KEY;
  asked: string[] = [];
  held: string[] = [];
  mayBeNamed = true;
  hasRoom = true;
  /** What is answered for a page that has been asked for so many times in all. */
  answer: (digest: string, asked: number) => 0 | 1 = () => 1;
  before: (call: number) => Promise<unknown> = async () => undefined;
  private calls = 0;

  readonly claim = async (digests: Uint8Array): Promise<Uint8Array> => {
    const list = digestsIn(digests);
    const states = list.map((digest) => {
      this.asked.push(digest);
      return this.answer(digest, this.asked.length);
    });
    await this.before(this.calls++);
    return Uint8Array.from(states);
  };

  readonly hold = (digest: Uint8Array, _entry: number, pagePtr: number): boolean => {
    if (!this.hasRoom) return false;
    this.held.push(hex(digest));
    expect(digestOf(resources.arena.at(pagePtr, PAGE_BYTES))).toBe(hex(digest));
    return true;
  };

  readonly mayName = (): boolean => this.mayBeNamed;
}

let names: Names;
let heads: PagesHead[];
let parts: FoldParts;
let freeBytes: number;
beforeEach(() => open());

function open(pageCount?: number): void {
  freeBytes = resources.arena.largestFreeBytes;
  names = new Names();
  heads = [];
  const output = {
    clusterCount: 0,
    pages(head: PagesHead) {
      output.clusterCount += head.clusters.length;
      heads.push(head);
      return { bodyOffset: 0, written: Promise.resolve() };
    },
  };
  const level = levelParameters("fast");
  const fold = { output, level, pageCount, clusterFd: undefined, isReadOnce: true, names };
  parts = openFoldParts(resources, fold);
}

async function begin(...pages: Uint8Array[]): Promise<void> {
  const slabPtr = await parts.slabs.lease();
  const to = resources.arena.at(slabPart(slabPtr, "pages"), pages.length * PAGE_BYTES);
  for (const [i, page] of pages.entries()) to.set(page, i * PAGE_BYTES);
  const listener = { counts: emptyCounts(), emitted: () => undefined };
  const frames = consecutiveFrames(0, pages.length);
  await parts.pipeline.addLeased(slabPtr, SOURCE, frames, listener, true);
}

const { ZERO: Z, UNIFORM: U, STORED, DUPLICATE, SKIP } = RecordKind;

/** Sends a batch; what each of its pages has become. */
async function send(...pages: Uint8Array[]): Promise<number[]> {
  await begin(...pages);
  await parts.pipeline.drain();
  const { runs } = heads[heads.length - 1];
  return runs.flatMap(({ kind, length }) => new Array<number>(length).fill(kind));
}

afterEach(close);

async function close(): Promise<void> {
  await parts.pipeline.drain().catch(() => undefined);
  parts.close();
  expect(resources.arena.largestFreeBytes).toBe(freeBytes);
}

describe("pages that may go by name", () => {
  it("are those whose content would be sent", async () => {
    names.answer = () => 0;
    expect(await send(A, ZERO, UNIFORM, B)).toEqual([STORED, Z, U, STORED]);
    expect(names.asked).toEqual([A, B].map(digestOf));
    expect(await send(B, C)).toEqual([DUPLICATE, STORED]);
    expect(names.asked).toEqual([A, B, C].map(digestOf));
  });

  it("have no slot, so pages that equal them are asked for until one is stored", async () => {
    names.answer = (_, asked) => (asked <= 3 ? 1 : 0);
    expect(await send(A, B)).toEqual([SKIP, SKIP]);
    expect(digestsIn(parts.namer?.take(0) ?? ZERO)).toEqual([A, B].map(digestOf));
    expect(parts.namer?.take(0)).toBe(undefined);
    expect(await send(A)).toEqual([SKIP]);
    expect(await send(A)).toEqual([STORED]);
    expect(await send(A)).toEqual([DUPLICATE]);
    expect(names.asked).toEqual([A, B, A, A].map(digestOf));
    expect(names.held).toEqual([A, B, A].map(digestOf));
  });

  it("may be twice in a batch, and are stored once", async () => {
    expect(await send(A, A)).toEqual([SKIP, SKIP]);
    names.answer = (_, asked) => (asked === 3 ? 1 : 0);
    expect(await send(B, B, B)).toEqual([SKIP, STORED, DUPLICATE]);
    names.answer = (_, asked) => (asked === 6 ? 0 : 1);
    expect(await send(C, C)).toEqual([STORED, DUPLICATE]);
  });

  it("are stored by one of several batches under way", async () => {
    const gate: (() => void)[] = [];
    names.before = () => new Promise((resolve) => gate.push(() => resolve(0)));
    names.answer = (_, asked) => (asked === 1 ? 1 : 0);
    for (let i = 0; i < 3; i++) await begin(A);
    while (gate.length < 3) await new Promise((resolve) => setImmediate(resolve));
    for (const open of gate) open();
    await parts.pipeline.drain();
    const kinds = heads.flatMap(({ runs }) => runs.map(({ kind }) => kind));
    expect(kinds).toEqual([SKIP, STORED, DUPLICATE]);
  });

  it("are stored where there is no room for them, or their batch may have no names", async () => {
    names.hasRoom = false;
    expect(await send(A)).toEqual([STORED]);
    names.hasRoom = true;
    expect(await send(B)).toEqual([SKIP]);
    names.mayBeNamed = false;
    expect(await send(B, C, ZERO)).toEqual([STORED, STORED, Z]);
    expect(names.asked).toEqual([A, B].map(digestOf));
    names.mayBeNamed = true;
    expect(await send(B, C)).toEqual([DUPLICATE, DUPLICATE]);
  });

  it("are numbered in the order of their batches, however late answers come", async () => {
    const gates: (() => void)[] = [];
    names.before = (call) => new Promise((resolve) => gates.splice(call, 1, () => resolve(0)));
    await begin(A);
    await begin(B);
    await begin(C, A);
    while (gates.filter(Boolean).length < 3) await new Promise((resolve) => setImmediate(resolve));
    for (const open of gates.reverse()) {
      open();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await parts.pipeline.drain();
    expect(names.held).toEqual([A, B, C, A].map(digestOf));
  });

  it("are not asked for where the table of pages is full", async () => {
    await close();
    open(1);
    const pages = Array.from({ length: 1536 }, () => random.bytes(PAGE_BYTES));
    for (let at = 0; at < pages.length; at += 512) await send(...pages.slice(at, at + 512));
    expect(names.asked.length).toBeGreaterThan(512);
    expect(names.asked.length).toBeLessThanOrEqual(1024);
    expect(names.held.length).toBe(names.asked.length);
  });

  it("end the session if nobody can be asked", async () => {
    names.before = () => Promise.reject(new Error("nobody there"));
    await begin(A);
    await begin(B).catch(() => undefined);
    await expect(parts.pipeline.drain()).rejects.toThrow("nobody there");
  });
});
