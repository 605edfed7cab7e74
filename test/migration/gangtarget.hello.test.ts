// How a target meets who connects to it: it refuses whom it does not expect, and gives up those
// who say nothing or something else.
import { describe, expect, it } from "vitest";
import { serveGang } from "../../src/migration/gangtarget.ts";
import { loopbackPair } from "../../src/transport/loopback.ts";
import { type SessionFrame, SessionType } from "../../src/wire/sessionframe.ts";
import { decodeHello, decodeReason } from "../../src/wire/sessionheads.ts";
import { lineOf, openResources } from "../support/gang.ts";
import { type HELLO, SourcePeer, TIMES } from "../support/gangpeer.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

describe("a target", () => {
  it("refuses who it does not expect, and says so", async () => {
    const resources = await openResources(1);
    const { largestFreeBytes } = resources.arena;
    const refusals: [Partial<typeof HELLO>, RegExp][] = [
      [{ guests: ["vm0", "db"] }, /refused: no guest "db" is expected here$/],
      [{ guests: ["vm0", "vm0"] }, /refused: no guest "vm0" is expected here$/],
      [{ scope: "other" }, /refused: its scope is "", not "other"$/],
    ];
    for (const [hello, line] of refusals) {
      const peer = new SourcePeer(resources);
      peer.hello(hello);
      const answer = (await peer.next()) as SessionFrame;
      expect(answer.type).toBe(SessionType.BYE);
      expect(decodeReason(answer)).toMatch(line);
      expect(lineOf(await peer.serving)).toMatch(line);
    }
    const newer = new SourcePeer(resources);
    newer.send(SessionType.HELLO, 0, Uint8Array.of(3, 0, 0, 0, 0));
    expect(lineOf(await newer.serving)).toMatch(/version 3 of the session, this is version 2$/);
    const rude = new SourcePeer(resources);
    rude.bytes(0, [1]);
    expect(lineOf(await rude.serving)).toMatch(/it does not begin with HELLO$/);
    expect(resources.arena.largestFreeBytes).toBe(largestFreeBytes);
  });

  it("gives up a source that says nothing, in time", async () => {
    const resources = await openResources(1);
    const [left, right] = loopbackPair();
    left.receive({ bytes() {}, end() {} });
    const options = { expects: () => true, sinkOf: () => Promise.reject(), onGuestOver() {} };
    const serving = serveGang(resources, { connection: right, times: TIMES, ...options });
    const before = performance.now();
    const error = await serving.catch((reason: unknown) => reason);
    expect(lineOf(error)).toMatch(/nothing was heard for \d+ s$/);
    expect(performance.now() - before).toBeLessThan(2000);
  });

  it("survives garbage", async () => {
    const resources = await openResources(1);
    const { largestFreeBytes } = resources.arena;
    const random = seededRandom(randomSeed("garbage"));
    for (let round = 0; round < 30; round++) {
      const [left, right] = loopbackPair();
      left.receive({ bytes() {}, end: () => left.end() });
      const options = { expects: () => true, sinkOf: () => Promise.reject(), onGuestOver() {} };
      const serving = serveGang(resources, { connection: right, times: TIMES, ...options });
      const ended = serving.catch((reason: unknown) => reason);
      left.write([random.bytes(random.int(3000))]);
      if (random.int(2)) left.end();
      expect(lineOf(await ended)).toMatch(/session|loopback/);
    }
    expect(resources.arena.largestFreeBytes).toBe(largestFreeBytes);
  });

  it("agrees to no more than both can keep", async () => {
    const resources = await openResources(1);
    const peer = new SourcePeer(resources);
    peer.hello({ slotBytes: 1000 });
    expect(decodeHello((await peer.next()) as SessionFrame).slotBytes).toBe(1000);
    peer.link.destroy(new Error("enough"));
    await peer.serving;
    const other = new SourcePeer(resources);
    other.hello();
    const { slotBytes, creditBytes } = decodeHello((await other.next()) as SessionFrame);
    expect(slotBytes).toBeLessThan(resources.arena.largestFreeBytes + slotBytes);
    expect(creditBytes).toBe(4 << 20);
    other.link.destroy(new Error("enough"));
    await other.serving;
  });
});
