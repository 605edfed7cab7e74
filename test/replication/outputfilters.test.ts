// What leaves the network backends of a guest that is made up, and when.
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { OutputFilters, releaseOutput } from "../../src/replication/outputfilters.ts";
import { FakeNetwork } from "../support/fakenetwork.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

async function open(network: FakeNetwork, netdevs = ["net0"], options = {}) {
  const filters = await OutputFilters.open(network.qmp, netdevs, options);
  onTestFinished(() => filters.close());
  return filters;
}

describe("output", () => {
  it("leaves when what it was sealed under is released, and not before", async () => {
    const network = new FakeNetwork();
    const output = await open(network);
    network.send(1);
    expect(output.isHolding).toBe(false);
    await output.seal(1);
    network.send(2);
    await output.seal(2);
    network.send(3);
    expect(network.heard.get("net0")).toEqual([1]);
    await output.release(1);
    expect(network.heard.get("net0")).toEqual([1]);
    await output.release(2);
    expect(network.heard.get("net0")).toEqual([1, 2]);
    expect(output.isHolding).toBe(true);
    // The filter of the epoch that runs.
    expect(network.filterCount).toBe(1);
  });

  it("of a second seal waits for its own release, though the first was released", async () => {
    const network = new FakeNetwork();
    const output = await open(network);
    await output.seal(1);
    network.send(1);
    await output.seal(2);
    network.send(2);
    await output.seal(3);
    network.send(3);
    await output.release(2);
    expect(network.heard.get("net0")).toEqual([1]);
    await output.seal(4);
    await output.release(4);
    expect(network.heard.get("net0")).toEqual([1, 2, 3]);
  });

  it("of several backends is held together, of others not at all", async () => {
    const network = new FakeNetwork({ net0: "tap", net1: "user", net2: "user" });
    const output = await open(network, ["net0", "net1"]);
    await output.seal(1);
    for (const netdev of ["net0", "net1", "net2"]) network.send(1, netdev);
    expect([...network.heard.values()]).toEqual([[], [], [1]]);
    await output.seal(2);
    await output.release(2);
    expect([...network.heard.values()]).toEqual([[1], [1], [1]]);
  });

  it("goes all at once when nothing is to be held any more, and is held again", async () => {
    const network = new FakeNetwork();
    const output = await open(network);
    await output.seal(1);
    network.send(1);
    await output.seal(2);
    network.send(2);
    await output.letGo();
    network.send(3);
    expect(network.heard.get("net0")).toEqual([1, 2, 3]);
    expect([output.isHolding, network.filterCount]).toEqual([false, 0]);
    await output.seal(3);
    network.send(4);
    expect(network.heard.get("net0")).toEqual([1, 2, 3]);
  });

  it("is held on when its filters would let it go by themselves", async () => {
    const network = new FakeNetwork();
    const output = await open(network, ["net0"], { renewMs: 20 });
    await output.seal(1);
    network.send(1);
    await output.seal(2);
    network.send(2);
    const before = network.changes.length;
    await sleep(100);
    expect(network.changes.length).toBeGreaterThan(before);
    expect([network.heard.get("net0"), network.filterCount]).toEqual([[], 2]);
    await output.release(2);
    expect(network.heard.get("net0")).toEqual([1]);
    await output.seal(3);
    await output.release(3);
    expect(network.heard.get("net0")).toEqual([1, 2]);
  });

  it("is never early, late or out of order, whatever happens at the same time", async () => {
    const random = seededRandom(randomSeed("output"));
    const network = new FakeNetwork();
    const output = await open(network, ["net0"], { renewMs: 2 });
    let [packet, seals, released] = [0, 0, 0];
    /** By seal, the first packet that it does not cover. */
    const ends = [0];
    const work: Promise<void>[] = [];
    for (let i = 0; i < 300; i++) {
      const kind = random.int(4);
      if (kind === 0) {
        const number = ++seals;
        const sealed = output.seal(number).then(() => {
          ends[number] = packet;
        });
        work.push(sealed);
      } else if (kind === 1 && seals > released) {
        released += 1 + random.int(seals - released);
        work.push(output.release(released));
      } else if (kind === 2) await sleep(1);
      if (ends.length > 1) network.send(packet++);
      const heard = network.heard.get("net0")?.length ?? 0;
      expect(heard).toBeLessThanOrEqual(ends[Math.min(released, ends.length - 1)]);
    }
    await Promise.all(work);
    await output.seal(++seals);
    await output.release(seals);
    expect(network.heard.get("net0")).toEqual(Array.from({ length: packet }, (_, i) => i));
  });
});

describe("filters of one that has ended", () => {
  async function left() {
    const network = new FakeNetwork();
    const output = await OutputFilters.open(network.qmp, ["net0"]);
    for (let i = 1; i <= 12; i++) {
      await output.seal(i);
      network.send(i);
    }
    output.close();
    return network;
  }

  it("are taken over: what they hold belongs to the first epoch", async () => {
    const network = await left();
    const output = await open(network);
    expect([output.isHolding, network.filterCount]).toEqual([true, 1]);
    network.send(13);
    await output.seal(1);
    network.send(14);
    expect(network.heard.get("net0")).toEqual([]);
    await output.release(1);
    expect(network.heard.get("net0")).toEqual(Array.from({ length: 13 }, (_, i) => i + 1));
  });

  it("are not forgotten by one that holds nothing there", async () => {
    const network = await left();
    const opened = OutputFilters.open(network.qmp, []);
    await expect(opened).rejects.toThrow("output of net0 is held by one that has ended");
    await expect(OutputFilters.open(network.qmp, ["net1"])).rejects.toMatchObject({
      code: "USAGE",
    });
  });

  it("go when they are released, and what they hold leaves in its order", async () => {
    const network = await left();
    expect(await releaseOutput(network.qmp)).toEqual(["net0"]);
    expect(network.heard.get("net0")).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    expect(network.filterCount).toBe(0);
    expect(await releaseOutput(network.qmp)).toEqual([]);
  });
});

describe("a backend that hides packets from QEMU", () => {
  it.each(["vhost-user", "vhost-vdpa"])("is refused: %s", async (type) => {
    const network = new FakeNetwork({ net0: type });
    const opened = OutputFilters.open(network.qmp, ["net0"]);
    await expect(opened).rejects.toThrow(`output of net0 cannot be held: it is a ${type}`);
    expect(network.changes).toEqual([]);
  });

  it("is refused with the words of QEMU, before anything is held", async () => {
    const network = new FakeNetwork();
    network.faults.set("net1", "Vhost is not supported");
    const opened = OutputFilters.open(network.qmp, ["net0", "net1"]);
    await expect(opened).rejects.toThrow("output of net1 cannot be held: Vhost is not supported");
    expect(network.filterCount).toBe(0);
    const nowhere = OutputFilters.open(network.qmp, ["net7"]);
    await expect(nowhere).rejects.toMatchObject({ code: "USAGE" });
  });
});
