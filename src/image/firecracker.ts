// Diff layers of Firecracker: a memory file in which a hole says that pages are those of the layer
// below. Nothing in the file tells it from an image with holes that are zeros, so one that lies
// beside a state file of Firecracker is refused: unpacked, it would have holes in other places.
//
//   state file   what Firecracker encodes, at most 10 MB | CRC-64 (Jones) of it u64, little-endian
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { PagefoldError } from "../core/errors.ts";
import type { StoredFile } from "./storedfile.ts";

const MIN_STATE_BYTES = 64;
const MAX_STATE_BYTES = 10_000_000;
/** What is looked at beside an image with holes. */
const MAX_FILES = 256;
const MAX_LOOKED_BYTES = 16 << 20;
/** The polynomial, lowest power first, in halves. */
const POLYNOMIAL_HIGH = 0x95ac9329;
const POLYNOMIAL_LOW = 0xac4bc9b5;

/** Throws INPUT when a raw file is sparse and lies beside a state file of Firecracker. */
export async function refuseDiffLayer({ path, isSparse }: StoredFile): Promise<void> {
  if (!isSparse) return;
  const state = await stateFileBeside(path);
  if (state === undefined) return;
  const reason = `has holes and lies beside ${state} of Firecracker: in a diff layer they are no`;
  const advice = "merge it first (snapshot-editor edit-memory rebase)";
  const other = "a full snapshot that was only made sparse is read with --no-decompress";
  throw new PagefoldError("INPUT", `${path}: ${reason} zeros; ${advice}; ${other}`);
}

async function stateFileBeside(path: string): Promise<string | undefined> {
  const folder = dirname(path);
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  let lookedBytes = 0;
  const files = entries.filter((entry) => entry.isFile() && entry.name !== basename(path));
  for (const { name } of files.slice(0, MAX_FILES)) {
    const beside = join(folder, name);
    const { size } = await stat(beside).catch(() => ({ size: 0 }));
    if (size < MIN_STATE_BYTES || size > MAX_STATE_BYTES) continue;
    if (lookedBytes + size > MAX_LOOKED_BYTES) continue;
    lookedBytes += size;
    if (isStateFile(await readFile(beside).catch(() => new Uint8Array(0)))) return name;
  }
  return undefined;
}

/** The checksum of all bytes is 0 if the last 8 are the checksum of those before. */
export function isStateFile(bytes: Uint8Array): boolean {
  // Of zeros it is 0 as well.
  if (bytes.length < MIN_STATE_BYTES || bytes.subarray(-8).every((byte) => byte === 0))
    return false;
  return crc64(bytes) === 0n;
}

let tables: { high: Int32Array; low: Int32Array } | undefined;

/** CRC-64 with the polynomial of Jones, as Redis and Firecracker compute it. */
export function crc64(bytes: Uint8Array): bigint {
  tables ??= makeTables();
  let high = 0;
  let low = 0;
  for (const byte of bytes) {
    const i = (low ^ byte) & 255;
    low = ((low >>> 8) | (high << 24)) ^ tables.low[i];
    high = (high >>> 8) ^ tables.high[i];
  }
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

function makeTables() {
  const [high, low] = [new Int32Array(256), new Int32Array(256)];
  for (let i = 0; i < 256; i++) {
    let [upper, lower] = [0, i];
    for (let bit = 0; bit < 8; bit++) {
      const isOdd = (lower & 1) === 1;
      lower = (lower >>> 1) | (upper << 31);
      upper >>>= 1;
      if (isOdd) {
        lower ^= POLYNOMIAL_LOW;
        upper ^= POLYNOMIAL_HIGH;
      }
    }
    high[i] = upper;
    low[i] = lower;
  }
  return { high, low };
}
