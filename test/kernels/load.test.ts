// What the release module is made of: no data, no state, one import.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { compileKernels, createMemory, instantiateKernels } from "../../src/kernels/load.ts";
import { builds, wasmPath } from "../support/kernels.ts";

const START_SECTION = 8;
const GLOBAL_SECTION = 6;
const DATA_SECTION = 11;

/** The sections of a module: id and contents, custom sections (id 0) included. */
function sections(wasm: Uint8Array): { id: number; body: Uint8Array }[] {
  const found: { id: number; body: Uint8Array }[] = [];
  let at = 8;
  while (at < wasm.length) {
    const id = wasm[at];
    const size = leb(wasm, at + 1);
    found.push({ id, body: wasm.subarray(size.next, size.next + size.value) });
    at = size.next + size.value;
  }
  return found;
}

/** An unsigned LEB128 number and where the next byte stands. */
function leb(bytes: Uint8Array, at: number): { value: number; next: number } {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return { value, next: at };
  }
}

/** The mutable ones among globals: each is a type, a flag and an expression that ends with 0x0b. */
function mutableGlobals(body: Uint8Array): number {
  const count = leb(body, 0);
  let at = count.next;
  let mutable = 0;
  for (let i = 0; i < count.value; i++) {
    mutable += body[at + 1];
    // Only i32.const and i64.const begin a global of these builds; both take one LEB128 number.
    expect([0x41, 0x42]).toContain(body[at + 2]);
    at = leb(body, at + 3).next;
    expect(body[at++]).toBe(0x0b);
  }
  return mutable;
}

describe("the release module", () => {
  const wasm = readFileSync(wasmPath("release"));
  const byId = new Map(sections(wasm).map(({ id, body }) => [id, body]));

  it("imports the shared memory and nothing else", () => {
    const imports = WebAssembly.Module.imports(new WebAssembly.Module(wasm));
    expect(imports).toEqual([{ module: "env", name: "memory", kind: "memory" }]);
  });

  it("has no data segment: every instance would write it over the shared memory again", () => {
    const data = byId.get(DATA_SECTION);
    expect(data === undefined ? 0 : leb(data, 0).value).toBe(0);
  });

  it("has no mutable global and no start function", () => {
    const globals = byId.get(GLOBAL_SECTION);
    expect(globals === undefined ? 0 : mutableGlobals(globals)).toBe(0);
    expect(byId.has(START_SECTION)).toBe(false);
  });

  it("leaves the memory of a running instance as it is when another one starts", () => {
    const memory = createMemory(4 * 65536);
    const bytes = new Uint8Array(memory.buffer).fill(0xa5);
    instantiateKernels(compileKernels(wasm), memory);
    expect(bytes.every((byte) => byte === 0xa5)).toBe(true);
  });
});

describe.each(builds)("exports ($name)", ({ name }) => {
  it("are functions, all of them named in the ABI", () => {
    const wanted = ["abi", "foreign", "windows", "zstd"].flatMap((file) => {
      const text = readFileSync(new URL(`../../src/kernels/${file}.ts`, import.meta.url), "utf8");
      const contract = text.slice(text.search(/interface (Foreign|Window|Zstd)?Kernels/));
      return [...contract.matchAll(/^ {2}([a-z][A-Za-z0-9]*)\(/gm)].map((match) => match[1]);
    });
    const module = new WebAssembly.Module(readFileSync(wasmPath(name)));
    const functions = WebAssembly.Module.exports(module).filter(({ kind }) => kind === "function");
    expect(functions.map((entry) => entry.name).sort()).toEqual(wanted.sort());
  });
});
