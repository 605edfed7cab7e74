// Pre-copy through the engine: a guest that writes between reads, an encoder, a decoder. What has
// been decoded when the guest is handed over is what the guest is.
import { fork } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import type { Engine } from "../../src/api.ts";
import { encoderSink } from "../../src/migration/encodersink.ts";
import { precopy } from "../../src/migration/precopy.ts";
import { PrecopyError } from "../../src/migration/precopyapi.ts";
import { openTestEngine } from "../support/engine.ts";
import { idle, LiveGuest, SimulatedClock, scribbler } from "../support/liveguest.ts";
import { randomSeed, seededRandom } from "../support/random.ts";
import { sinkInto } from "../support/rounds.ts";

const PAGE_BYTES = 4096;

/** Decodes pieces as they are written; `end` resolves when all of them were checked. */
function decodeInto(engine: Engine, target: Buffer) {
  const stream = new TransformStream<Uint8Array, Uint8Array>();
  const writer = stream.writable.getWriter();
  const decoder = engine.decoder();
  const decoded = decoder.decode(stream.readable, () => sinkInto(target, true));
  decoded.catch(() => undefined);
  return {
    write: (bytes: Uint8Array) => writer.write(bytes),
    async end(): Promise<void> {
      await writer.close();
      await decoded;
      await decoder.close();
    },
  };
}

describe("encoder sink", () => {
  it("moves a guest that writes between reads", async () => {
    const random = seededRandom(randomSeed("encoder sink"));
    const engine = await openTestEngine();
    await using encoder = engine.encoder();
    for (const putOff of [false, true]) {
      const guest = new LiveGuest(6000, scribbler(random, 40, 50));
      const target = Buffer.alloc(guest.memory.length, 0xa5);
      const own = putOff ? engine.encoder() : encoder;
      const { write, end } = decodeInto(engine, target);
      let writtenBytes = 0;
      const sink = encoderSink({
        encoder: own,
        name: "guest",
        write: (bytes) => {
          writtenBytes += bytes.length;
          return write(bytes);
        },
        prepare: end,
        commit: async () => expect(target.equals(guest.memory)).toBe(true),
      });
      const report = await precopy(guest, sink, { downtimeLimitMs: 0, putOff, lookFrames: 1000 });
      expect(report.wireBytes).toBe(writtenBytes);
      expect(report.pagesTransferred).toBeGreaterThan(6000 - 50);
      expect(report.rounds.length).toBeGreaterThan(2);
      await own.close();
    }
  });

  it("does not read what was put off while the round ran", async () => {
    const engine = await openTestEngine();
    await using encoder = engine.encoder();
    const guest = new LiveGuest(8192, idle);
    const target = Buffer.alloc(guest.memory.length);
    const { write, end } = decodeInto(engine, target);
    const commit = async () => expect(target.equals(guest.memory)).toBe(true);
    const sink = encoderSink({ encoder, name: "guest", write, prepare: end, commit });
    // In two rounds the last quarter is written at the first look, before its turn comes. When the
    // first one has been read, everything is written again.
    let round = 0;
    let readPages = 0;
    let quarters = 0;
    const { read, takeDirty } = guest;
    guest.read = (frame, count, into) => {
      readPages += count;
      return read.call(guest, frame, count, into);
    };
    guest.takeDirty = (into) => {
      if (readPages > 0 && quarters === round && round < 2) {
        for (let frame = 6144; frame < 8192; frame++) guest.touch(frame);
        quarters++;
      } else if (round === 0 && readPages === 6144) {
        for (let frame = 0; frame < 8192; frame++) guest.touch(frame);
      }
      return takeDirty.call(guest, into);
    };
    const onRound = () => {
      round++;
      readPages = 0;
    };
    const options = { downtimeLimitMs: 0, lookFrames: 600, onRound };
    const { rounds } = await precopy(guest, sink, options);
    expect(rounds.map(({ pages }) => pages)).toEqual([6144, 6144, 2048]);
    expect(rounds.map(({ putOffPages }) => putOffPages)).toEqual([2048, 2048, 0]);
  });

  it("keeps the rate of the round", async () => {
    const engine = await openTestEngine();
    await using encoder = engine.encoder({ level: "store" });
    const clock = new SimulatedClock();
    const sink = encoderSink({
      encoder,
      name: "guest",
      write: async () => undefined,
      commit: async () => undefined,
      clock,
    });
    const rate = { minimum: 1e6, maximum: 4e6 };
    const report = await precopy(new LiveGuest(2000, idle), sink, { clock, rate });
    const [{ wireBytes, elapsedMs }] = report.rounds;
    expect(wireBytes).toBeGreaterThan(2000 * PAGE_BYTES);
    // 10 ms worth of bytes may leave at once.
    expect(Math.abs(elapsedMs - wireBytes / 1000)).toBeLessThan(10.1);
  });

  it("ends while it waits for a writer that never takes more", async () => {
    const engine = await openTestEngine();
    const guest = new LiveGuest(4000, idle);
    for (const isAborted of [true, false]) {
      await using encoder = engine.encoder();
      const abort = new AbortController();
      const write = (): Promise<void> => {
        if (!isAborted) return Promise.reject(new Error("the link is down"));
        setTimeout(() => abort.abort(new Error("enough")), 10);
        return new Promise(() => undefined);
      };
      const sink = encoderSink({ encoder, name: "guest", write, commit: async () => undefined });
      const migration = precopy(guest, sink, { signal: abort.signal });
      if (isAborted) await expect(migration).rejects.toThrow(/^enough$/);
      else await expect(migration).rejects.toThrow(PrecopyError);
    }
    expect(guest.isPaused).toBe(false);
    // The memory of the encoders is given back, and the same guest may go another time.
    const target = Buffer.alloc(guest.memory.length);
    await using encoder = engine.encoder();
    const { write, end } = decodeInto(engine, target);
    const sink = encoderSink({
      encoder,
      name: "guest",
      write,
      prepare: end,
      commit: async () => undefined,
    });
    await precopy(guest, sink);
    expect(target.equals(guest.memory)).toBe(true);
  });

  it("works between two processes", async () => {
    const example = new URL("../../examples/precopy.mjs", import.meta.url);
    const child = fork(example, { stdio: ["ignore", "pipe", "inherit", "ipc"] });
    let text = "";
    child.stdout?.on("data", (bytes) => {
      text += bytes;
    });
    expect(await once(child, "close")).toEqual([0, null]);
    expect(text).toMatch(/^(\d+) is \1\n/);
  });
});
