// The composition root: takes memory and workers once and lends them to operations.
import { availableParallelism } from "node:os";
import type {
  ArchiveInput,
  Decoder,
  Encoder,
  EncoderOptions,
  Engine,
  EngineOptions,
  ExplainOptions,
  InspectOptions,
  InspectReport,
  PackInput,
  PackOptions,
  PackOutput,
  PackReport,
  RepackOptions,
  UnpackOptions,
  UnpackReport,
  VerifyOptions,
  VerifyReport,
} from "./api.ts";
import { openAppend } from "./archive/append.ts";
import { openBaseFile } from "./archive/basefile.ts";
import { openFileAccess } from "./archive/bytesource.ts";
import { type Destination, openDestination } from "./archive/destination.ts";
import { openEncoder } from "./archive/encoder.ts";
import { inspectImages } from "./archive/inspectimages.ts";
import { packInto } from "./archive/pack.ts";
import { repackInto } from "./archive/repack.ts";
import { openDecoder, type StreamParts } from "./archive/streamdecoder.ts";
import { unpackArchive } from "./archive/unpack.ts";
import { type UnpackHook, unpackAs } from "./archive/unpackas.ts";
import { unpackStream } from "./archive/unpackstream.ts";
import { verifyArchive } from "./archive/verify.ts";
import { verifyStream } from "./archive/verifystream.ts";
import { Arena } from "./core/arena.ts";
import { PagefoldError } from "./core/errors.ts";
import type { Explanation } from "./explainapi.ts";
import type { ImagePath } from "./image/inputs.ts";
import { compileKernels, createMemory, instantiateKernels } from "./kernels/load.ts";
import type { EngineResources } from "./pipeline/resources.ts";
import { openPool } from "./pool/pool.ts";
import { Explainer } from "./report/explainer.ts";
import { loadChecksum } from "./wire/checksum.ts";

const DEFAULT_MEMORY_BYTES = 512 << 20;
const MIN_MEMORY_BYTES = 64 << 20;
/** What 32-bit linear memory can have, less one unit. */
const MAX_MEMORY_BYTES = 2 ** 32 - 65536;
/** Part of the memory that the clusters of a stream that is read forwards may take. */
const STORE_SHARE = 0.5;

/** Opens an engine. It holds memory and threads until it is closed. */
export async function openEngine(options: EngineOptions = {}): Promise<Engine> {
  const threads = options.threads ?? availableParallelism();
  const wanted = options.memoryBytes ?? DEFAULT_MEMORY_BYTES;
  if (!Number.isSafeInteger(threads) || threads < 0) {
    throw new PagefoldError("USAGE", `threads: ${threads} is not a count`);
  }
  if (!(wanted >= MIN_MEMORY_BYTES)) {
    throw new PagefoldError("USAGE", `memory: ${wanted} bytes, at least ${MIN_MEMORY_BYTES}`);
  }
  const memoryBytes = Math.min(wanted, MAX_MEMORY_BYTES);
  const module = compileKernels(options.wasm);
  const memory = createMemory(memoryBytes);
  const arena = new Arena(memory);
  const { workerUrl, cacheBytes } = options;
  const pool = openPool({ threads, module, memory, arena, workerUrl, cacheBytes });
  const kernels = instantiateKernels(module, memory);
  const checksum = await loadChecksum();
  const resources = { memory, arena, kernels, pool, checksum };
  const storeBytes = memoryBytes * STORE_SHARE;
  const engine = new PagefoldEngine(resources, { storeBytes, wasm: options.wasm });
  owned.set(engine, resources);
  return engine;
}

const owned = new WeakMap<Engine, EngineResources>();

/** What an engine of ours owns: transfers (transfers.ts) take their memory and workers from it. */
export function resourcesOf(engine: Engine): EngineResources {
  const resources = owned.get(engine);
  if (!resources) throw new PagefoldError("USAGE", "this engine was not opened by openEngine");
  return resources;
}

class PagefoldEngine implements Engine {
  private readonly resources: EngineResources;
  private readonly streamParts: StreamParts;

  constructor(resources: EngineResources, streamParts: StreamParts) {
    this.resources = resources;
    this.streamParts = streamParts;
  }

  async pack(
    inputs: readonly PackInput[],
    output: PackOutput,
    options: PackOptions = {},
  ): Promise<PackReport> {
    const destination = await openDestination(output, this.resources.checksum, options.key);
    return this.packTo(inputs, destination, options);
  }

  async append(
    archivePath: string,
    inputs: readonly PackInput[],
    options: PackOptions = {},
  ): Promise<PackReport> {
    const names = inputs.map(({ name }) => name);
    const destination = await openAppend(this.resources, archivePath, names, options);
    return this.packTo(inputs, destination, options);
  }

  async unpack(
    input: ArchiveInput,
    directory: string,
    options: UnpackOptions = {},
  ): Promise<UnpackReport> {
    const unpack = (into: string, how: UnpackOptions & UnpackHook): Promise<UnpackReport> =>
      "path" in input
        ? unpackArchive(this.resources, input.path, into, { ...how, wasm: this.streamParts.wasm })
        : unpackStream(input.bytes, into, how, this.streamParts);
    const { as } = options;
    return as === undefined ? unpack(directory, options) : unpackAs(as, directory, options, unpack);
  }

  async verify(input: ArchiveInput, options: VerifyOptions = {}): Promise<VerifyReport> {
    if (!("path" in input)) return verifyStream(input.bytes, options, this.streamParts);
    const access = await openFileAccess(input.path);
    try {
      const workers = { resources: this.resources, fd: access.fd };
      return await verifyArchive(access, input.path, options, this.streamParts.wasm, workers);
    } finally {
      await access.close();
    }
  }

  async inspect(
    inputs: readonly ImagePath[],
    options: InspectOptions = {},
  ): Promise<InspectReport> {
    return inspectImages(this.resources, inputs, { ...options, wasm: this.streamParts.wasm });
  }

  async explain(inputs: readonly ImagePath[], options: ExplainOptions = {}): Promise<Explanation> {
    const observer = new Explainer(inputs.length);
    const to = { write: async () => undefined };
    const nowhere = await openDestination(to, this.resources.checksum, undefined);
    const { wasm } = this.streamParts;
    const settings = { ...options, observer, wasm };
    return observer.explanation(
      await packInto(this.resources, inputs, nowhere, undefined, settings),
    );
  }

  async repack(
    archivePath: string,
    output: PackOutput,
    options: RepackOptions = {},
  ): Promise<PackReport> {
    const { key, newKey = key } = options;
    const sealedWith = newKey === false ? undefined : newKey;
    const destination = await openDestination(output, this.resources.checksum, sealedWith);
    return repackInto(this.resources, archivePath, destination, options);
  }

  encoder(options: EncoderOptions = {}): Encoder {
    return openEncoder(this.resources, options);
  }

  decoder(): Decoder {
    return openDecoder(this.streamParts);
  }

  async close(): Promise<void> {
    await this.resources.pool.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async packTo(
    inputs: readonly PackInput[],
    destination: Destination,
    options: PackOptions,
  ): Promise<PackReport> {
    try {
      const { wasm } = this.streamParts;
      const { base: input, signal } = options;
      const base = input && (await openBaseFile(this.resources, input, { signal, wasm }));
      try {
        return await packInto(this.resources, inputs, destination, base, { ...options, wasm });
      } finally {
        await base?.file.close();
      }
    } finally {
      await destination.discard();
    }
  }
}
