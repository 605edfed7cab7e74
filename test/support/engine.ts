// Opens engines for tests: the sources run in this thread, workers run the built script. An engine
// is closed when its test ends.
import { pathToFileURL } from "node:url";
import { onTestFinished } from "vitest";
import type { Engine, EngineOptions } from "../../src/api.ts";
import { openEngine } from "../../src/engine.ts";
import type { EngineResources } from "../../src/pipeline/resources.ts";
import { wasmPath } from "./kernels.ts";

/** What tests need at least: smaller than the default, so that opening one is quick. */
const MEMORY_BYTES = 160 << 20;

export async function openTestEngine(options: EngineOptions = {}): Promise<Engine> {
  const engine = await open(options);
  onTestFinished(() => engine.close());
  return engine;
}

const kept: Engine[] = [];

/** Engines for all tests of a file, which calls `closeEngines` behind the last one. */
export async function keptEngines(
  count: number,
  options: EngineOptions = {},
): Promise<EngineResources[]> {
  for (let i = 0; i < count; i++) kept.push(await open(options));
  return kept.slice(-count).map(resourcesOf);
}

export async function closeEngines(): Promise<void> {
  await Promise.all(kept.splice(0).map((engine) => engine.close()));
}

function open(options: EngineOptions): Promise<Engine> {
  return openEngine({
    threads: 2,
    memoryBytes: MEMORY_BYTES,
    workerUrl: new URL("../../dist/pool/worker.cjs", import.meta.url),
    wasm: pathToFileURL(wasmPath("release")),
    ...options,
  });
}

/** The memory and the workers behind an engine, which its users never see. */
export function resourcesOf(engine: Engine): EngineResources {
  return (engine as unknown as { resources: EngineResources }).resources;
}

/** `bytes` in pieces of `pieceBytes`, as a pipe would give them. */
export async function* inPieces(bytes: Uint8Array, pieceBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    yield bytes.subarray(at, at + pieceBytes);
  }
}

/** An output that keeps what it is given. */
export function collector() {
  const parts: Uint8Array[] = [];
  return {
    write: async (bytes: Uint8Array): Promise<void> => {
      parts.push(bytes);
    },
    bytes: (): Buffer => Buffer.concat(parts),
  };
}
