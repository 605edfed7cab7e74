// Small guests for the tests of the backup store: an identity, a plain model of its memory, changes
// as patches, and what the store must hold afterwards. It also runs outside of the test runner.
import assert from "node:assert/strict";
import { PAGE_BYTES } from "../../src/core/page.ts";
import { IMAGE_CHECKSUM_SCRATCH_BYTES, ImageChecksum } from "../../src/pipeline/imagechecksum.ts";
import { MAX_PATCH_PAGES, PatchWriter } from "../../src/replication/patch.ts";
import type { Epoch, ReplicaStore } from "../../src/replication/store.ts";
import type { GuestIdentity } from "../../src/replication/storeidentity.ts";
import { FIRST_FREE_BYTE, openKernels } from "./kernels.ts";
import type { SeededRandom } from "./random.ts";

/** A guest of two RAM blocks that have so many frames together. */
export function guestOfFrames(frameCount: number, name = "pc.ram"): GuestIdentity {
  return {
    machine: "pc-i440fx-7.2",
    qemuVersion: "7.2.0",
    pageBytes: PAGE_BYTES,
    ramBlocks: [
      { name, byteLength: (frameCount - 1) * PAGE_BYTES },
      { name: "vga.vram", byteLength: PAGE_BYTES },
    ],
  };
}

/** The checksum of a memory by way of the pipeline's own tree, which the store does not use. */
export function checksumOfMemory(memory: Uint8Array): Uint8Array {
  const count = memory.length / PAGE_BYTES;
  const scratch = memory.length + count * 16;
  const open = openKernels("release", scratch + IMAGE_CHECKSUM_SCRATCH_BYTES);
  const sumsPtr = FIRST_FREE_BYTE + memory.length;
  open.bytes.set(memory, FIRST_FREE_BYTE);
  open.kernels.fingerprintPages(FIRST_FREE_BYTE, count, sumsPtr);
  const tree = new ImageChecksum(open.kernels, open.memory, FIRST_FREE_BYTE + scratch);
  tree.add(open.bytes.slice(sumsPtr, sumsPtr + count * 16));
  return tree.finish(memory.length, count);
}

/** The patches that lead from one memory to another, by comparing every byte. */
export function patchesBetween(
  before: Uint8Array,
  after: Uint8Array,
  maxPages = MAX_PATCH_PAGES,
): Uint8Array[] {
  const patches: Uint8Array[] = [];
  const writer = new PatchWriter();
  for (let frame = 0; frame < after.length / PAGE_BYTES; frame++) {
    const masks = [0, 0];
    for (let block = 0; block < 64; block++) {
      const at = frame * PAGE_BYTES + block * 64;
      const isSame = Buffer.compare(before.subarray(at, at + 64), after.subarray(at, at + 64));
      if (isSame !== 0) masks[block >> 5] |= 1 << (block & 31);
    }
    if (masks[0] === 0 && masks[1] === 0) continue;
    writer.add(frame, masks[0] >>> 0, masks[1] >>> 0, after, frame * PAGE_BYTES);
    if (writer.pageCount === maxPages) patches.push(writer.take());
  }
  if (writer.pageCount > 0) patches.push(writer.take());
  return patches;
}

/** What a guest was at every epoch so far: the oracle. Epoch 1 is its first. */
export class ReplicaModel {
  readonly memories: Uint8Array[] = [];
  private readonly random: SeededRandom;

  constructor(frameCount: number, random: SeededRandom) {
    this.random = random;
    const first = new Uint8Array(frameCount * PAGE_BYTES);
    for (let frame = 0; frame < frameCount; frame += 1 + random.int(3)) {
      first.set(random.bytes(PAGE_BYTES), frame * PAGE_BYTES);
    }
    this.memories.push(first);
  }

  get epoch(): number {
    return this.memories.length;
  }

  memory(epoch = this.epoch): Uint8Array {
    return this.memories[epoch - 1];
  }

  deviceState(epoch: number): Uint8Array {
    return Buffer.from(`devices of epoch ${epoch} `.repeat(epoch % 5));
  }

  /** The guest runs on: some blocks change, a page becomes zero, one comes back. */
  run(changes = 12): Epoch {
    const { random } = this;
    const before = this.memory();
    const after = before.slice();
    const frames = after.length / PAGE_BYTES;
    for (let i = 0; i < changes; i++) {
      const at = random.int(frames) * PAGE_BYTES;
      const kind = random.int(10);
      if (kind === 0) after.fill(0, at, at + PAGE_BYTES);
      else if (kind === 1 && this.epoch > 1) {
        after.set(this.memory(this.epoch - 1).subarray(at, at + PAGE_BYTES), at);
      } else if (kind === 2) after.set(random.bytes(PAGE_BYTES), at);
      else after.set(random.bytes(1 + random.int(200)), at + random.int(PAGE_BYTES - 200));
    }
    this.memories.push(after);
    return this.ending(patchesBetween(before, after, 1 + random.int(8)));
  }

  /** The last epoch with these patches. */
  ending(patches: Uint8Array[] = []): Epoch {
    const epoch = this.epoch;
    const checksum = checksumOfMemory(this.memory());
    return { epoch, patches, checksum, deviceState: this.deviceState(epoch), timeMs: 1000 * epoch };
  }

  /** Sends the last epoch whole, in pieces. */
  async commitFull(store: ReplicaStore): Promise<void> {
    const memory = this.memory();
    const draft = await store.beginFull(this.epoch);
    for (let at = 0; at < memory.length; ) {
      await draft.write(at / PAGE_BYTES, memory.subarray(at, at + 5 * PAGE_BYTES));
      at += 5 * PAGE_BYTES;
    }
    await draft.commit(this.ending());
  }
}

/** Reads all that a store keeps and compares it with the model. */
export async function expectEpochs(store: ReplicaStore, model: ReplicaModel): Promise<void> {
  await store.verify();
  const last = store.last?.epoch ?? 0;
  for (let epoch = store.oldest; epoch <= last && last > 0; epoch++) {
    await using reader = await store.read(epoch);
    const wanted = model.memory(epoch);
    const found = new Uint8Array(wanted.length);
    await reader.read(0, reader.frameCount, found);
    assert.equal(Buffer.compare(found, wanted), 0, `memory of epoch ${epoch}`);
    assert.equal(Buffer.compare(await reader.deviceState(), model.deviceState(epoch)), 0);
    assert.equal(reader.head.timeMs, 1000 * epoch);
  }
}
