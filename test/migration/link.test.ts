// One end of a session: frames in order each way, and a peer that is gone is noticed in time.
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { type LinkTimes, SessionLink } from "../../src/migration/link.ts";
import { loopbackPair } from "../../src/transport/loopback.ts";
import { shaped } from "../../src/transport/shaped.ts";
import { loadChecksum } from "../../src/wire/checksum.ts";
import { encodeSessionFrame, SessionType } from "../../src/wire/sessionframe.ts";
import { decodeReason } from "../../src/wire/sessionheads.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const checksum = await loadChecksum();
const TIMES = { heartbeatMs: 10, silenceMs: 150 };

function linkPair(left: LinkTimes = TIMES, right: LinkTimes = TIMES) {
  const [a, b] = loopbackPair();
  const links = [new SessionLink(a, checksum, left), new SessionLink(b, checksum, right)] as const;
  onTestFinished(() => {
    for (const link of links) link.destroy(new Error("the test is over"));
  });
  return { links, connections: [a, b] as const };
}

describe("a link", () => {
  it("gives frames in order each way, and keeps signs of life to itself", async () => {
    const { links } = linkPair();
    const random = seededRandom(randomSeed("link"));
    const sent = Array.from({ length: 50 }, () => random.bytes(random.int(9000)));
    await Promise.all(
      links.map(async (link, side) => {
        const sending = sent.map((body) =>
          link.send(SessionType.BATCH, side, body.slice(0, 9), body),
        );
        for (const body of sent) {
          if (random.int(8) === 0) await sleep(12);
          const frame = await link.next();
          expect([frame?.guest, frame?.head.length]).toEqual([1 - side, Math.min(9, body.length)]);
          expect(Buffer.compare(frame?.body ?? body.subarray(1), body)).toBe(0);
        }
        await Promise.all(sending);
      }),
    );
  });

  it("keeps a peer that has nothing to say, as long as its heart beats", async () => {
    const { links } = linkPair();
    const nothing = links.map((link) => link.next());
    await sleep(500);
    await links[0].send(SessionType.BYE, 0);
    await links[1].send(SessionType.BYE, 0);
    for (const frame of await Promise.all(nothing)) expect(frame?.type).toBe(SessionType.BYE);
  });

  it("gives up a peer that is silent, in time", async () => {
    const { links } = linkPair(TIMES, { heartbeatMs: 60_000 });
    const before = performance.now();
    // A link that has its heart stopped answers still: this one is not read.
    await expect(links[0].next()).rejects.toThrow(/^loopback left: nothing was heard for \d+ s$/);
    expect(performance.now() - before).toBeGreaterThan(140);
    expect(performance.now() - before).toBeLessThan(1000);
  });

  it("gives up a link on which nothing arrives any more", async () => {
    const [a, b] = loopbackPair();
    const left = new SessionLink(shaped(a, {}), checksum, TIMES);
    const right = new SessionLink(shaped(b, { stallAfterBytes: 500 }), checksum, TIMES);
    const [one, other] = await Promise.allSettled([left.next(), right.next()]);
    expect([one.status, other.status]).toEqual(["rejected", "rejected"]);
  });

  it("gives up a peer of whose record only a part ever comes", async () => {
    const [a, b] = loopbackPair();
    const link = new SessionLink(a, checksum, { heartbeatMs: 5, silenceMs: 30 });
    b.receive({ bytes() {}, end() {} });
    b.write([encodeSessionFrame(SessionType.BATCH, 0, 0, new Uint8Array(9), 1 << 20, checksum)]);
    const drip = setInterval(() => b.write([new Uint8Array(1)]), 5);
    onTestFinished(() => clearInterval(drip));
    await expect(link.next()).rejects.toThrow(/no record was complete for \d+ s$/);
  });

  it("does not take its own pause for the silence of the peer", async () => {
    const { links } = linkPair();
    const next = links[0].next();
    const other = links[1].next();
    await sleep(30);
    // Nobody's timers run: the process was stopped, or busy.
    for (const until = performance.now() + 600; performance.now() < until; );
    await sleep(60);
    await links[1].send(SessionType.BYE, 0);
    expect((await next)?.type).toBe(SessionType.BYE);
    links[0].send(SessionType.BYE, 0).catch(() => undefined);
    await other;
  });

  it("does not take for silence what it does not read", async () => {
    const { links } = linkPair();
    const answer = links[1].next();
    await links[1].send(SessionType.CREDIT, 1);
    await links[0].next();
    await sleep(400);
    await links[0].send(SessionType.BYE, 0);
    expect((await answer)?.type).toBe(SessionType.BYE);
  });

  it("ends in order, and gives up a peer that does not", async () => {
    const orderly = linkPair();
    for (const link of orderly.links) link.end();
    await Promise.all(orderly.links.map((link) => Promise.all([link.next(), link.closed])));
    const { links } = linkPair();
    const next = links[1].next();
    links[0].end();
    expect(await next).toBeUndefined();
    await links[0].closed;
  });

  it("says why it refuses", async () => {
    const { links } = linkPair();
    links[0].refuse(new Error("loopback left: its head is full"));
    const frame = await links[1].next();
    expect(frame?.type).toBe(SessionType.BYE);
    expect(frame && decodeReason(frame)).toBe("its head is full");
    await links[0].closed;
  });

  it("does not collect answers for a peer that only asks", async () => {
    const [a, b] = loopbackPair({ bufferBytes: 1000 });
    const link = new SessionLink(a, checksum, { heartbeatMs: 60_000 });
    const next = link.next();
    const ping = (sequence: number): Uint8Array =>
      encodeSessionFrame(SessionType.PING, 0, sequence, new Uint8Array(0), 0, checksum);
    // It reads nothing itself.
    for (let i = 0; i < 20_000; i++) b.write([ping(i)]);
    await b.write([ping(20_000)]);
    await sleep(50);
    expect(a.queuedBytes).toBeLessThan(70_000);
    link.destroy(new Error("enough"));
    await expect(next).rejects.toThrow("enough");
  });

  it("leaves no timers behind", async () => {
    const timers = (): number =>
      process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
    const before = timers();
    const { links } = linkPair();
    expect(timers()).toBe(before + 2);
    links[0].destroy(new Error("enough"));
    await Promise.all(links.map(({ closed }) => closed));
    expect(timers()).toBe(before);
    const refused = linkPair();
    refused.links[0].refuse(new Error("enough"));
    refused.links[1].end();
    await Promise.all(refused.links.map((link) => Promise.allSettled([link.next(), link.closed])));
    expect(timers()).toBe(before);
  });
});
