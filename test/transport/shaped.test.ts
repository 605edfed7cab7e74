// A worse link: still every byte in order, at the rate and after the delay that were asked for, up
// to the byte where it breaks or falls silent.
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Connection } from "../../src/transport/connection.ts";
import { loopbackPair } from "../../src/transport/loopback.ts";
import { type LinkShape, shaped } from "../../src/transport/shaped.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

interface Arrived {
  bytes(): Buffer;
  atMs: number[];
  over: Promise<Error | undefined>;
}

function shapedPair(shape: LinkShape): { left: Connection; right: Connection; arrived: Arrived } {
  const [inner, right] = loopbackPair();
  const left = shaped(inner, shape);
  const got: Uint8Array[] = [];
  const atMs: number[] = [];
  right.receive({
    bytes(piece) {
      got.push(piece.slice());
      atMs.push(performance.now());
    },
    end: () => right.end(),
  });
  left.receive({ bytes() {}, end() {} });
  onTestFinished(() => left.destroy());
  return { left, right, arrived: { bytes: () => Buffer.concat(got), atMs, over: right.closed } };
}

describe("a shaped connection", () => {
  it("gives every byte in order, whatever the shape", async () => {
    const random = seededRandom(randomSeed("shaped"));
    for (let round = 0; round < 20; round++) {
      const shape: LinkShape = {
        ...(random.int(2) ? { bytesPerSecond: 1e6 + random.int(1e9) } : {}),
        ...(random.int(2) ? { delayMs: random.int(20) } : {}),
        ...(random.int(2) ? { stallAfterBytes: random.int(60_000), stallMs: random.int(20) } : {}),
      };
      const { left, arrived } = shapedPair(shape);
      const parts = Array.from({ length: random.int(9) }, () => random.bytes(random.int(20_000)));
      left.write(parts);
      left.write([Uint8Array.of(7)]);
      left.end();
      expect(await arrived.over).toBeUndefined();
      const want = Buffer.concat([...parts, Uint8Array.of(7)]);
      expect(Buffer.compare(arrived.bytes(), want), JSON.stringify(shape)).toBe(0);
      expect([left.sentBytes, left.queuedBytes]).toEqual([want.length, 0]);
    }
  });

  it("sends no faster than its rate", async () => {
    const { left, arrived } = shapedPair({ bytesPerSecond: 10_000_000 });
    const startMs = performance.now();
    const written = left.write([new Uint8Array(1_100_000)]);
    await sleep(20);
    expect(left.queuedBytes).toBe(1_100_000);
    await written;
    left.end();
    await arrived.over;
    // 100 KB pass at once.
    expect(performance.now() - startMs).toBeGreaterThan(95);
    expect(performance.now() - startMs).toBeLessThan(1000);
  });

  it("delays what it sends without holding back what follows", async () => {
    const { left, arrived } = shapedPair({ delayMs: 60 });
    const startMs = performance.now();
    for (let block = 0; block < 5; block++) await left.write([new Uint8Array(1000)]);
    expect(performance.now() - startMs).toBeLessThan(50);
    left.end();
    await arrived.over;
    expect(arrived.atMs[0] - startMs).toBeGreaterThan(55);
    expect(performance.now() - startMs).toBeLessThan(250);
  });

  it("takes the parts for good when a write resolves", async () => {
    const { left, arrived } = shapedPair({ delayMs: 20 });
    const part = new Uint8Array(100_000).fill(1);
    await left.write([part]);
    part.fill(2);
    left.end();
    await arrived.over;
    expect(arrived.bytes().every((byte) => byte === 1)).toBe(true);
  });

  it("breaks after as many bytes as it was told", async () => {
    const random = seededRandom(randomSeed("shaped cut"));
    for (let round = 0; round < 10; round++) {
      const cutAfterBytes = random.int(200_000);
      const { left, arrived } = shapedPair({ cutAfterBytes, delayMs: random.int(2) });
      const bytes = random.bytes(200_001);
      const written = left.write([bytes]);
      const later = left.write([bytes]);
      await expect(written).rejects.toThrow(`cut after ${cutAfterBytes} bytes`);
      await expect(later).rejects.toThrow(`cut after ${cutAfterBytes} bytes`);
      expect((await left.closed)?.message).toContain("cut after");
      expect((await arrived.over)?.message).toContain("broke the connection");
      expect(left.queuedBytes).toBe(0);
      const got = arrived.bytes();
      expect(Buffer.compare(got, bytes.subarray(0, got.length))).toBe(0);
      expect(got.length).toBeLessThanOrEqual(cutAfterBytes);
    }
  });

  it("falls silent for a while, or for ever", async () => {
    const short = shapedPair({ stallAfterBytes: 1000, stallMs: 80 });
    const startMs = performance.now();
    await short.left.write([new Uint8Array(2000)]);
    expect(performance.now() - startMs).toBeGreaterThan(75);
    const long = shapedPair({ stallAfterBytes: 1000 });
    const written = long.left.write([new Uint8Array(2000)]);
    await expect.poll(() => long.arrived.bytes().length).toBe(1000);
    await sleep(50);
    expect(long.arrived.bytes().length).toBe(1000);
    long.left.destroy(new Error("enough"));
    await expect(written).rejects.toThrow("enough");
  });

  it("notices that the peer is gone", async () => {
    const { left, right } = shapedPair({ bytesPerSecond: 1e6 });
    const written = left.write([new Uint8Array(1e6)]);
    right.destroy();
    await expect(written).rejects.toThrow("broke the connection");
    await expect(left.write([new Uint8Array(1)])).rejects.toThrow(/closed/);
  });
});
