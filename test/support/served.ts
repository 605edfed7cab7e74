// An archive that is served, as tests want it: images of every kind of page, packed, and a server
// for them in this process.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { Engine, PackOptions } from "../../src/api.ts";
import type { ArchiveServer, ServeOptions } from "../../src/serve/serve.ts";
import { serveArchive } from "../../src/serving.ts";
import { buildCore } from "./elf.ts";
import { openTestEngine } from "./engine.ts";
import { temporaryFolder } from "./folder.ts";
import { mixed, noise } from "./images.ts";
import { seededRandom } from "./random.ts";

const PAGE_BYTES = 4096;

/** A raw image of several blocks with a run of zeros and a partial last page. */
export function rawImage(seed: number): Buffer {
  const random = seededRandom(seed);
  const parts = [mixed(random, 700), Buffer.alloc(600 * PAGE_BYTES), mixed(random, 300)];
  return Buffer.concat([...parts, random.bytes(1234)]);
}

/** A core whose segments begin at odd offsets, so that its pages are not those of the file. */
export function coreImage(seed: number): Buffer {
  const random = seededRandom(seed);
  const segments = [
    { offset: 1000, fileBytes: 40 * PAGE_BYTES },
    { offset: 1000 + 40 * PAGE_BYTES, fileBytes: 600 * PAGE_BYTES },
  ];
  const byteLength = 1000 + 640 * PAGE_BYTES + 77;
  const core = Buffer.from(buildCore({ byteLength, headers: segments }));
  core.set(mixed(random, 640), 1000);
  core.set(noise(random, 1).subarray(0, 77), byteLength - 77);
  return core;
}

export interface Packed {
  readonly engine: Engine;
  readonly folder: string;
  readonly path: string;
  readonly images: ReadonlyMap<string, Buffer>;
}

export async function packed(
  images: Record<string, Buffer>,
  options: PackOptions = {},
): Promise<Packed> {
  const folder = temporaryFolder();
  const engine = await openTestEngine();
  const inputs = Object.entries(images).map(([name, bytes], i) => {
    const path = join(folder, `input${i}`);
    writeFileSync(path, bytes);
    return { name, path };
  });
  const path = join(folder, "A.pfa");
  await engine.pack(inputs, { path }, options);
  return { engine, folder, path, images: new Map(Object.entries(images)) };
}

/** Serves at a port of the loopback interface and at a unix socket unless told otherwise. */
export async function served(
  { engine, folder, path }: Packed,
  options: ServeOptions = {},
): Promise<ArchiveServer & { socketPath: string; origin: string }> {
  const socketPath = join(folder, "nbd.sock");
  const server = await serveArchive(engine, path, {
    http: "127.0.0.1:0",
    nbd: `unix:${socketPath}`,
    ...options,
  });
  onTestFinished(() => server.close());
  const origin = server.httpUrl?.replace(/\/$/, "") ?? "";
  return Object.assign(server, { socketPath, origin });
}

/** Changes a byte in the middle of the file: inside of a cluster, in an archive of noise. */
export function damageMiddle(path: string): void {
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1] ^= 1;
  writeFileSync(path, bytes);
}
