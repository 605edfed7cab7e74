// What every connection promises, over memory, unix sockets, tcp and TLS.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type Address, parseAddress } from "../../src/transport/address.ts";
import { connect } from "../../src/transport/connect.ts";
import { type Connection, pieces } from "../../src/transport/connection.ts";
import { listen } from "../../src/transport/listen.ts";
import { loopbackPair } from "../../src/transport/loopback.ts";
import { loadTlsIdentity } from "../../src/transport/tlsfiles.ts";
import { newAuthority, writeTlsFiles } from "../support/certificates.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

type Pair = [Connection, Connection];

const folder = mkdtempSync(join(tmpdir(), "pagefold-transport-"));
beforeAll(() => writeTlsFiles(folder, newAuthority("test CA")));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function socketPair(address: Address, withTls: boolean): Promise<Pair> {
  const [server, client] = withTls
    ? [await loadTlsIdentity(folder, "server"), await loadTlsIdentity(folder, "client")]
    : [];
  const listener = await listen(address, server ? { tls: server } : {});
  const [left, right] = await Promise.all([
    connect(listener.address, client ? { tls: client } : {}),
    listener.accept(),
  ]);
  await listener.close();
  return [left, right];
}

let sockets = 0;
const KINDS: Record<string, () => Promise<Pair>> = {
  loopback: async () => loopbackPair(),
  unix: () => socketPair({ kind: "unix", path: join(folder, `s${sockets++}`) }, false),
  tcp: () => socketPair(parseAddress("127.0.0.1:0"), false),
  "tcp over IPv6": () => socketPair(parseAddress("[::1]:0"), false),
  tls: () => socketPair(parseAddress("127.0.0.1:0"), true),
  "tls over unix": () => socketPair({ kind: "unix", path: join(folder, `s${sockets++}`) }, true),
};

/** All that arrives up to the end, and a promise of that end. */
function collect(connection: Connection): { bytes: () => Uint8Array; end: Promise<void> } {
  const got: Uint8Array[] = [];
  const end = new Promise<void>((resolve) => {
    connection.receive({ bytes: (piece) => void got.push(piece.slice()), end: resolve });
  });
  return { bytes: () => Buffer.concat(got), end };
}

function painted(length: number, start = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (start + at) % 251);
}

describe.each(Object.entries(KINDS))("a connection over %s", (kind, open) => {
  async function opened(): Promise<Pair> {
    const pair = await open();
    onTestFinished(() => {
      for (const connection of pair) connection.destroy();
    });
    return pair;
  }

  it("carries bytes both ways, in order, and ends one way at a time", async () => {
    const [left, right] = await opened();
    const atRight = collect(right);
    const atLeft = collect(left);
    left.write([painted(10), painted(0), painted(100_000, 10)]);
    left.write([]);
    left.end();
    await atRight.end;
    expect(Buffer.compare(atRight.bytes(), painted(100_010))).toBe(0);
    // Half closed: the other direction still works.
    await right.write([painted(70_000)]);
    right.end();
    await atLeft.end;
    expect(Buffer.compare(atLeft.bytes(), painted(70_000))).toBe(0);
    expect(await left.closed).toBeUndefined();
    expect(await right.closed).toBeUndefined();
    expect([left.sentBytes, right.receivedBytes]).toEqual([100_010, 100_010]);
    expect([left.receivedBytes, right.sentBytes]).toEqual([70_000, 70_000]);
  });

  it("gives every byte of writes of any size", async () => {
    const random = seededRandom(randomSeed(`connection over ${kind}`));
    const [left, right] = await opened();
    const atRight = collect(right);
    const sent: Uint8Array[] = [];
    for (let round = 0; round < 200; round++) {
      const parts = Array.from({ length: random.int(6) }, () =>
        random.bytes(random.int(8) === 0 ? random.int(300_000) : random.int(300)),
      );
      sent.push(...parts);
      const written = left.write(parts);
      if (random.int(4) === 0) await written;
      if (random.int(9) === 0) {
        right.pause();
        await sleep(random.int(3));
        right.resume();
      }
    }
    left.end();
    await atRight.end;
    expect(Buffer.compare(atRight.bytes(), Buffer.concat(sent))).toBe(0);
  });

  it("takes views of shared memory, which are free again when it says so", async () => {
    const [left, right] = await opened();
    const atRight = collect(right);
    const shared = new Uint8Array(new SharedArrayBuffer(2 << 20));
    for (let round = 1; round <= 5; round++) {
      shared.fill(round);
      await left.write([shared.subarray(100, 200), shared.subarray(1 << 20)]);
    }
    left.end();
    await atRight.end;
    const each = 100 + (1 << 20);
    const want = Buffer.alloc(5 * each);
    for (let round = 0; round < 5; round++) want.fill(round + 1, round * each, (round + 1) * each);
    expect(Buffer.compare(atRight.bytes(), want)).toBe(0);
  });

  it("keeps what comes before anybody receives", async () => {
    const [left, right] = await opened();
    await left.write([painted(1000)]);
    left.end();
    await sleep(30);
    const atRight = collect(right);
    await atRight.end;
    expect(Buffer.compare(atRight.bytes(), painted(1000))).toBe(0);
  });

  it("holds back a writer whose peer does not read, and says how much waits", async () => {
    const [left, right] = await opened();
    let got = 0;
    right.receive({
      bytes(piece) {
        got += piece.length;
      },
      end: () => right.end(),
    });
    left.receive({ bytes() {}, end() {} });
    right.pause();
    const block = new Uint8Array(1 << 20);
    let taken = 0;
    const writes = Array.from({ length: 32 }, () => left.write([block]).then(() => taken++));
    await sleep(100);
    expect(taken).toBeLessThan(24);
    expect(left.queuedBytes).toBeGreaterThan(8 << 20);
    expect(got).toBe(0);
    right.resume();
    await Promise.all(writes);
    expect(left.queuedBytes).toBe(0);
    left.end();
    await right.closed;
    expect(got).toBe(32 << 20);
  });

  it("delivers nothing more once a receiver has paused in the middle", async () => {
    const [left, right] = await opened();
    let calls = 0;
    right.receive({
      bytes() {
        calls++;
        right.pause();
      },
      end() {},
    });
    left.write([new Uint8Array(4 << 20)]);
    await sleep(50);
    expect(calls).toBe(1);
    right.resume();
    await expect.poll(() => calls).toBe(2);
  });

  it("stops at once when destroyed, and gives the reason to those who wait", async () => {
    const [left, right] = await opened();
    right.receive({ bytes() {}, end() {} });
    right.pause();
    const writes = Array.from({ length: 16 }, () => left.write([new Uint8Array(1 << 20)]));
    left.destroy(new Error("enough"));
    const outcomes = await Promise.allSettled(writes);
    const lost = outcomes.filter(({ status }) => status === "rejected");
    // What fits into the buffers of the systems was taken; the others have the reason.
    expect(lost.length).toBeGreaterThan(8);
    for (const outcome of lost) expect(outcome).toMatchObject({ reason: { message: "enough" } });
    expect((await left.closed)?.message).toBe("enough");
    await expect(left.write([painted(1)])).rejects.toThrow(/enough|closed/);
    right.resume();
    right.end();
    await right.closed; // with a reason or as an end: the systems differ
  });

  it("ends with what its receiver throws", async () => {
    const [left, right] = await opened();
    right.receive({
      bytes() {
        throw new RangeError("that is no hello");
      },
      end() {},
    });
    left.write([painted(10)]);
    expect((await right.closed)?.message).toBe("that is no hello");
  });

  it("can be read as a sequence of pieces", async () => {
    const [left, right] = await opened();
    const got: Uint8Array[] = [];
    const reading = (async () => {
      for await (const piece of pieces(right)) got.push(piece.slice());
    })();
    for (let block = 0; block < 20; block++) await left.write([painted(99_999, block)]);
    left.end();
    await reading;
    const want = Buffer.concat(Array.from({ length: 20 }, (_, block) => painted(99_999, block)));
    expect(Buffer.compare(Buffer.concat(got), want)).toBe(0);
  });

  it("gives a reader of pieces what arrived before the link broke, then the reason", async () => {
    const [left, right] = await opened();
    const kept: Uint8Array[] = [];
    const reading = (async () => {
      for await (const piece of pieces(right)) kept.push(piece.slice());
    })();
    await left.write([painted(300_000)]);
    await expect.poll(() => right.receivedBytes).toBe(300_000);
    right.destroy(new Error("enough"));
    await expect(reading).rejects.toThrow("enough");
    expect(Buffer.compare(Buffer.concat(kept), painted(300_000))).toBe(0);
  });

  it("is destroyed by a reader of pieces who leaves early", async () => {
    const [left, right] = await opened();
    left.write([painted(1000)]);
    for await (const piece of pieces(right)) {
      expect(piece.length).toBeGreaterThan(0);
      break;
    }
    expect(await right.closed).toBeUndefined();
  });

  it("names its peer", async () => {
    const [left, right] = await opened();
    expect(left.peer).not.toBe("");
    expect(right.peer).not.toBe("");
  });
});
