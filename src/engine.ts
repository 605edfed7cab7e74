// The composition root: takes memory and workers once and lends them to operations.
import { availableParallelism } from "node:os";
import type {
  Engine,
  EngineOptions,
  PackInput,
  PackOptions,
  PackOutput,
  PackReport,
} from "./api.ts";
import { openDestination } from "./archive/destination.ts";
import { packInto } from "./archive/pack.ts";
import { Arena } from "./core/arena.ts";
import { PagefoldError } from "./core/errors.ts";
import { compileKernels, createMemory, instantiateKernels } from "./kernels/load.ts";
import type { EngineResources } from "./pipeline/resources.ts";
import { openPool } from "./pool/pool.ts";
import { loadChecksum } from "./wire/checksum.ts";

const DEFAULT_MEMORY_BYTES = 512 << 20;
const MIN_MEMORY_BYTES = 64 << 20;
/** What 32-bit linear memory can have, less one unit. */
const MAX_MEMORY_BYTES = 2 ** 32 - 65536;

/** Opens an engine. It holds memory and threads until it is closed. */
export async function openEngine(options: EngineOptions = {}): Promise<Engine> {
  const threads = options.threads ?? availableParallelism();
  const wanted = options.memoryBytes ?? DEFAULT_MEMORY_BYTES;
  if (wanted < MIN_MEMORY_BYTES) {
    throw new PagefoldError("USAGE", `memory: ${wanted} bytes, at least ${MIN_MEMORY_BYTES}`);
  }
  const memoryBytes = Math.min(wanted, MAX_MEMORY_BYTES);
  const module = compileKernels(options.wasm);
  const memory = createMemory(memoryBytes);
  const arena = new Arena(memory);
  const { workerUrl } = options;
  const pool = openPool({ threads, module, memory, arena, workerUrl });
  const kernels = instantiateKernels(module, memory);
  const checksum = await loadChecksum();
  const resources: EngineResources = { memory, arena, kernels, pool, checksum, memoryBytes };
  return new PagefoldEngine(resources) as unknown as Engine;
}

class PagefoldEngine {
  private readonly resources: EngineResources;

  constructor(resources: EngineResources) {
    this.resources = resources;
  }

  async pack(
    inputs: readonly PackInput[],
    output: PackOutput,
    options: PackOptions = {},
  ): Promise<PackReport> {
    const destination = await openDestination(output, this.resources.checksum);
    return packInto(this.resources, inputs, destination, undefined, options);
  }

  async close(): Promise<void> {
    await this.resources.pool.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
