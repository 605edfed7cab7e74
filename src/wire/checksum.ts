// XXH64 for batches, superblocks and other small objects, and XXH32 for LZ4 frames, by xxhash-wasm.
// The pages' own hashes come from the kernels; this is what TypeScript uses where a hash is taken
// now and then.
import xxhash from "xxhash-wasm";

/** XXH64, seed 0, of the concatenation of the parts. */
export type Checksum = (...parts: Uint8Array[]) => bigint;

let hasherReady: ReturnType<typeof xxhash> | undefined;
let ready: Promise<Checksum> | undefined;

/** Loads the hash once per thread. */
export function loadChecksum(): Promise<Checksum> {
  ready ??= loadHasher().then((hasher) => (...parts: Uint8Array[]) => {
    if (parts.length === 1) return hasher.h64Raw(parts[0]);
    const state = hasher.create64();
    for (const part of parts) state.update(part);
    return state.digest();
  });
  return ready;
}

/** XXH64, seed 0, of parts that come one after another. */
export interface RunningChecksum {
  update(part: Uint8Array): void;
  digest(): bigint;
}

export async function startChecksum(): Promise<RunningChecksum> {
  const { create64 } = await loadHasher();
  const state = create64();
  return {
    update: (part) => void state.update(part),
    digest: () => state.digest(),
  };
}

/** XXH32, seed 0, of parts that come one after another. */
export interface RunningChecksum32 {
  update(part: Uint8Array): void;
  digest(): number;
}

/** Begins as many of them as are wanted. */
export async function loadChecksum32(): Promise<() => RunningChecksum32> {
  const { create32 } = await loadHasher();
  return () => {
    const state = create32();
    return { update: (part) => void state.update(part), digest: () => state.digest() };
  };
}

function loadHasher(): ReturnType<typeof xxhash> {
  hasherReady ??= xxhash();
  return hasherReady;
}
