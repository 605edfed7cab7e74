// What a source does with a target that breaks the rules: it ends that session in one line, and
// every guest that was not released stays where it is.
import { describe, expect, it, onTestFinished } from "vitest";
import { SessionType } from "../../src/wire/sessionframe.ts";
import { decodeMark, decodeReason, encodeMark, encodeReason } from "../../src/wire/sessionheads.ts";
import { feed, lineOf, Outgoing, openResources, SHUT } from "../support/gang.ts";
import { guestStream, sharedPages } from "../support/gangstreams.ts";
import { seededRandom } from "../support/random.ts";
import { TargetPeer } from "../support/targetpeer.ts";

const { bytes: STREAM } = guestStream(seededRandom(5), sharedPages(seededRandom(6), 40), {
  pages: 100,
});

async function begun() {
  const resources = await openResources(1);
  const { largestFreeBytes } = resources.arena;
  const peer = new TargetPeer(resources);
  await peer.greet();
  const source = await peer.opening;
  onTestFinished(() => source.close());
  const outgoing = new Outgoing();
  const guest = await source.guest(0, outgoing);
  outgoing.guest = guest;
  await feed(guest, STREAM, seededRandom(7));
  const isFree = () => resources.arena.largestFreeBytes === largestFreeBytes;
  return { peer, source, outgoing, guest, isFree };
}

const mark = (streamBytes: number, hash = 0n) => encodeMark({ streamBytes, hash });

describe("a source", () => {
  const cases: [string, (peer: TargetPeer) => Promise<void> | void, RegExp][] = [
    [
      "credit for more than was sent",
      (peer) => peer.send(SessionType.CREDIT, 0, mark(STREAM.length + 1)),
      /says of vm0: credit for \d+ bytes$/,
    ],
    [
      "PREPARED for another hash",
      async (peer) => {
        const asked = decodeMark(await peer.until(SessionType.PREPARE));
        peer.send(SessionType.PREPARED, 0, mark(asked.streamBytes, asked.hash ^ 1n));
      },
      /says of vm0: another hash at byte \d+$/,
    ],
    [
      "PREPARED twice",
      async (peer) => {
        const { head } = await peer.until(SessionType.PREPARE);
        peer.send(SessionType.PREPARED, 0, head);
        peer.send(SessionType.PREPARED, 0, head);
      },
      /says of vm0: PREPARED was not asked for$/,
    ],
    [
      "words of a guest that was not begun",
      (peer) => peer.send(SessionType.RETURN, 1, SHUT),
      /about guest 1, which was not begun$/,
    ],
    ["a batch", (peer) => peer.send(SessionType.BATCH, 0, Uint8Array.of(0)), /record type 2$/],
    [
      "a broken head",
      (peer) => peer.send(SessionType.CREDIT, 0, Uint8Array.of(1)),
      /bytes are needed/,
    ],
    ["a goodbye", (peer) => peer.send(SessionType.BYE), /it has ended the session$/],
    [
      "a goodbye with a reason",
      (peer) => peer.send(SessionType.BYE, 0, encodeReason("the host\nis \u001b[31mfull")),
      /it has ended the session: the host is +\[31mfull$/,
    ],
    ["an end", (peer) => peer.link.end(), /it has ended the session$/],
    [
      "more of a return path than anybody takes",
      (peer) => {
        for (let i = 0; i < 40; i++) peer.send(SessionType.RETURN, 0, new Uint8Array(1 << 19));
      },
      /says of vm0: more than its QEMU takes$/,
    ],
  ];

  it.each(cases)("ends a session with %s", async (what, misbehave, line) => {
    const { peer, source, outgoing, isFree } = await begun();
    outgoing.returned = () => new Promise(() => undefined);
    await misbehave(peer);
    const { kind } = await outgoing.over;
    // After PREPARED it has been told to take over.
    expect(kind).toBe(what === "PREPARED twice" ? "doubt" : "failed");
    expect(outgoing.outcomes.length).toBe(1);
    const error = await source.ended.catch((reason: unknown) => reason);
    expect(lineOf(error)).toMatch(line);
    await expect(source.guest(1, new Outgoing())).rejects.toThrow(line);
    await source.close();
    expect(isFree()).toBe(true);
  });

  it("gives up a target that falls silent, in time", async () => {
    const { peer, source, outgoing } = await begun();
    const before = performance.now();
    // Its heart stops.
    clearInterval((peer.link as unknown as { heartbeat: NodeJS.Timeout }).heartbeat);
    const { kind } = await outgoing.over;
    expect(kind).toBe("failed");
    expect(performance.now() - before).toBeLessThan(2000);
    const error = await source.ended.catch((reason: unknown) => reason);
    expect(lineOf(error)).toMatch(/nothing was heard for \d+ s$/);
  });

  it("does not wait for ever for a target that does not say goodbye", async () => {
    const { peer, source, outgoing, isFree } = await begun();
    await source.close();
    expect(outgoing.outcomes.map(({ kind }) => kind)).toEqual(["failed"]);
    expect(isFree()).toBe(true);
    peer.link.destroy(new Error("enough"));
  });

  it("says why it gives a guest up, and that it has nothing more to say", async () => {
    const { peer, guest } = await begun();
    guest.abort("vm0: cancelled");
    expect(decodeReason(await peer.until(SessionType.ABORT))).toBe("vm0: cancelled");
    peer.link.destroy(new Error("enough"));
  });

  it("is in doubt only from its word to the answer", async () => {
    for (const [answer, kind] of [
      [undefined, "doubt"],
      [SHUT, "migrated"],
      [Uint8Array.of(0, 1, 0, 4, 0, 0, 0, 9), "failed"],
    ] as const) {
      const { peer, outgoing, guest } = await begun();
      peer.send(SessionType.PREPARED, 0, (await peer.until(SessionType.PREPARE)).head);
      await peer.until(SessionType.COMMIT);
      if (answer) peer.send(SessionType.RETURN, 0, answer);
      outgoing.returned = () => undefined;
      peer.send(SessionType.END);
      if (kind === "migrated") {
        peer.link.end();
        guest.end();
      }
      expect((await outgoing.over).kind).toBe(kind);
      expect(outgoing.isCommitted).toBe(true);
      peer.link.destroy(new Error("enough"));
    }
  });

  it("refuses a target that agrees to nothing, and hears why it is refused", async () => {
    for (const [change, line] of [
      [{ creditBytes: 0 }, /it agrees to nothing$/],
      [{ slotBytes: 2 ** 40 }, /it agrees to nothing$/],
    ] as const) {
      const peer = new TargetPeer(await openResources(1));
      await peer.greet(change);
      await expect(peer.opening).rejects.toThrow(line);
    }
    const peer = new TargetPeer(await openResources(1));
    peer.send(SessionType.BYE, 0, encodeReason("no guest is expected here"));
    await expect(peer.opening).rejects.toThrow("the target refuses: no guest is expected here");
  });
});
