// What a hypervisor is given: all in order, what decides only behind the release, and nothing after
// it was told to give up.
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { GuestDelivery, type GuestSink } from "../../src/migration/guestdelivery.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

function opened(write: (bytes: Uint8Array) => Promise<void> = async () => undefined) {
  const seen = {
    bytes: [] as number[],
    given: [] as Uint8Array[],
    taken: 0,
    failures: [] as string[],
    over: "",
  };
  const delivery = new GuestDelivery({
    delivered: (bytes) => seen.given.push(bytes),
    taken: (streamBytes) => {
      seen.taken = streamBytes;
    },
    failed: (reason) => seen.failures.push(reason),
  });
  const sink: GuestSink = {
    async write(bytes) {
      await write(bytes);
      seen.bytes.push(...bytes.subarray(0, 1));
    },
    end: () => {
      seen.over += "ended";
    },
    abort: (reason) => {
      seen.over += reason;
    },
  };
  return { delivery, sink, seen };
}

const piece = (number: number, length = 10): Uint8Array => new Uint8Array(length).fill(number);

describe("a delivery", () => {
  it("keeps the order, and what decides until it is released", async () => {
    const random = seededRandom(randomSeed("delivery"));
    for (let round = 0; round < 50; round++) {
      const { delivery, sink, seen } = opened(async () => {
        if (random.int(2)) await turn();
      });
      const first = random.int(8);
      const release = first + random.int(5);
      delivery.connect(random.int(2) ? Promise.resolve(sink) : turn().then(() => sink));
      for (let i = 0; i < 20; i++) {
        if (i === release) {
          for (let n = 0; n < 30; n++) await turn();
          expect(seen.bytes.length).toBeLessThanOrEqual(first);
          delivery.release();
        }
        delivery.take(piece(i), i === first);
      }
      await delivery.end();
      expect(seen.bytes).toEqual(Array.from({ length: 20 }, (_, i) => i));
      expect(seen).toMatchObject({ taken: 200, over: "ended", failures: [] });
    }
  });

  it("says what is withheld is taken, and what is not withheld when it is", async () => {
    let go: () => void = () => undefined;
    const { delivery, sink, seen } = opened(
      () =>
        new Promise((resolve) => {
          go = resolve;
        }),
    );
    delivery.connect(Promise.resolve(sink));
    delivery.take(piece(0), false);
    await turn();
    expect(seen.taken).toBe(0);
    delivery.take(piece(1), true);
    expect(seen.taken).toBe(10);
    go();
    await turn();
    expect([seen.taken, seen.bytes]).toEqual([20, [0]]);
  });

  it("withholds the last 64 MiB of what is more", async () => {
    const { delivery, sink, seen } = opened();
    delivery.connect(Promise.resolve(sink));
    const long = piece(1, 4 << 20);
    for (let i = 0; i < 20; i++) delivery.take(long, true);
    await turn();
    expect([seen.bytes.length, delivery.withheldBytes]).toEqual([4, 64 << 20]);
    expect(seen.taken).toBe(80 << 20);
    delivery.release();
    await delivery.end();
    expect(seen.bytes.length).toBe(20);
  });

  it("gives nothing more after it was told to give up, and drops what was withheld", async () => {
    const { delivery, sink, seen } = opened(async () => void (await turn()));
    delivery.connect(turn().then(() => sink));
    for (let i = 0; i < 5; i++) delivery.take(piece(i), i > 2);
    delivery.abort("killed");
    for (let n = 0; n < 10; n++) await turn();
    expect(seen.bytes).toEqual([]);
    expect(seen.over).toBe("killed");
    expect(delivery.withheldBytes).toBe(0);
  });

  it("says once that nobody takes it", async () => {
    const refused = opened();
    refused.delivery.connect(Promise.reject(new Error("nobody listens there")));
    refused.delivery.take(piece(1), false);
    await turn();
    expect(refused.seen.failures).toEqual(["nobody listens there"]);
    const broken = opened(async () => {
      throw new Error("it has died");
    });
    broken.delivery.connect(Promise.resolve(broken.sink));
    broken.delivery.take(piece(1), false);
    await turn();
    expect(broken.seen.failures).toEqual(["QEMU at the target: it has died"]);
  });
});
