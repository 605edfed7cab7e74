// Memory behind callbacks, replicated: with a dirty bitmap only what it names is read, without one
// everything, and what the backup holds is the memory of a moment at which nobody wrote.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { type CheckpointSource, pageEpochs } from "../../src/replication/pageepochs.ts";
import { MemorySink } from "../support/capturesink.ts";
import { temporaryFolder } from "../support/folder.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const PAGE_BYTES = 4096;
const FRAMES = 700;

/** Memory that may be read only while it stands still. */
class Watched implements CheckpointSource {
  readonly name = "watched";
  readonly frameCount = FRAMES;
  readonly memory = new Uint8Array(FRAMES * PAGE_BYTES);
  readonly dirty = new Uint8Array(Math.ceil(FRAMES / 8));
  isRunning = true;
  readFrames = 0;

  write(frame: number, byte: number): void {
    this.memory[frame * PAGE_BYTES + 9] = byte;
    this.dirty[frame >> 3] |= 1 << (frame & 7);
  }

  async read(frame: number, count: number, into: Uint8Array): Promise<void> {
    expect(this.isRunning).toBe(false);
    expect(frame + count).toBeLessThanOrEqual(FRAMES);
    this.readFrames += count;
    into.set(this.memory.subarray(frame * PAGE_BYTES, (frame + count) * PAGE_BYTES));
  }

  async pause(): Promise<void> {
    this.isRunning = false;
  }

  async resume(): Promise<void> {
    this.isRunning = true;
  }

  async saveState(): Promise<Uint8Array> {
    expect(this.isRunning).toBe(false);
    return Uint8Array.of(this.memory[9]);
  }
}

class Noted extends Watched {
  async takeDirty(into: Uint8Array): Promise<void> {
    expect(this.isRunning).toBe(false);
    into.set(this.dirty);
    this.dirty.fill(0);
  }
}

/** Keeps what came before, as a backup does. */
class KeepingSink extends MemorySink {
  override begin(identity: Parameters<MemorySink["begin"]>[0]): void {
    const { bytes } = this;
    super.begin(identity);
    if (bytes.length > 0) this.bytes.set(bytes);
  }
}

describe.each([
  ["with a dirty bitmap", () => new Noted(), true],
  ["without one", () => new Watched(), false],
])("memory behind callbacks, %s", (_, make, isNoted) => {
  it("comes as it was while it stood still", async () => {
    const random = seededRandom(randomSeed("page epochs"));
    const guest = make();
    const sink = new KeepingSink(1 + random.int(300));
    const source = pageEpochs(guest);
    for (let frame = 0; frame < FRAMES; frame += 3) guest.write(frame, 1 + random.int(255));
    await source.epoch(sink, { signal: undefined });
    expect([guest.readFrames, guest.isRunning]).toEqual([FRAMES, true]);
    for (let round = 0; round < 5; round++) {
      const touched = new Set(Array.from({ length: 40 }, () => random.int(FRAMES)));
      touched.add(0).add(FRAMES - 1);
      for (const frame of touched) guest.write(frame, random.int(256));
      guest.readFrames = 0;
      const epoch = await source.epoch(sink, { signal: undefined });
      expect(Buffer.compare(sink.bytes, guest.memory)).toBe(0);
      expect([...epoch.deviceState]).toEqual([guest.memory[9]]);
      expect(guest.readFrames).toBe(isNoted ? touched.size : FRAMES);
      expect(epoch.pageCount).toBe(guest.readFrames);
    }
  });

  it("runs on when it cannot be read", async () => {
    const guest = make();
    guest.read = () => Promise.reject(new Error("no such page"));
    const epoch = pageEpochs(guest).epoch(new MemorySink(), { signal: undefined });
    await expect(epoch).rejects.toThrow("no such page");
    expect(guest.isRunning).toBe(true);
  });
});

it("is kept by another process, to the last checkpoint before a kill", async () => {
  const example = new URL("../../examples/checkpoints.mjs", import.meta.url);
  const cwd = temporaryFolder();
  const child: ChildProcess = fork(example, ["kept"], {
    cwd,
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  let text = "";
  child.stdout?.on("data", (bytes) => {
    text += bytes;
  });
  expect(await once(child, "close")).toEqual([0, null]);
  const [, memory, state] = /memory says (\d+), the state beside it (\d+)\n$/.exec(text) ?? [];
  expect(memory).toBe(state);
  expect(text.match(/wireBytes: \d+/g)?.length).toBe(5);
});
