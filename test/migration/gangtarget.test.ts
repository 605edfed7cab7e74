// What a target does with a source that breaks the rules: it ends that session and no other, says
// why in one line, and gives back what it took.
import { describe, expect, it } from "vitest";
import { RecordKind } from "../../src/wire/records.ts";
import { type SessionFrame, SessionType } from "../../src/wire/sessionframe.ts";
import { decodeMark, decodeReason, encodeReason } from "../../src/wire/sessionheads.ts";
import { lineOf, openResources } from "../support/gang.ts";
import { duplicate, markOf, openedPeer, type SourcePeer, varint } from "../support/gangpeer.ts";

/** As many zero records as a batch may stand for. */
const ZERO_RECORDS = Math.floor((4 << 20) / 9);
const ZEROS = { script: varint(ZERO_RECORDS * 8 + 2), streamBytes: ZERO_RECORDS * 9 };

describe("a target", () => {
  const cases: [string, (peer: SourcePeer) => void, RegExp][] = [
    ["a batch of an unknown guest", (peer) => peer.bytes(7, [1]), /there is no guest 7$/],
    ["a second HELLO", (peer) => peer.hello(), /HELLO 1 of guest 0 without a stream$/],
    [
      "COMMIT first",
      (peer) => peer.send(SessionType.COMMIT),
      /COMMIT 1 of guest 0 without a stream/,
    ],
    [
      "COMMIT that was not prepared",
      (peer) => {
        peer.bytes(0, [1, 2], { isWithheld: true });
        peer.send(SessionType.COMMIT);
      },
      /vm0: COMMIT before PREPARED$/,
    ],
    [
      "a record for the other side",
      (peer) => {
        peer.bytes(0, [1]);
        peer.send(SessionType.PREPARED, 0, markOf([1]));
      },
      /PREPARED 2 of guest 0 is not for us$/,
    ],
    [
      "clusters out of order",
      (peer) => peer.pages(0, 2, { firstCluster: 5 }),
      /cluster 5 where 0 was expected$/,
    ],
    [
      "a reference to what is not yet there (a reference never precedes its content)",
      (peer) => {
        peer.pages(0, 2);
        peer.refer(0, duplicate(1));
      },
      /cluster 1 is not yet there$/,
    ],
    [
      "a reference to an item that is not there",
      (peer) => {
        peer.pages(0, 2);
        peer.refer(0, duplicate(0, 2));
      },
      /cluster 0: item 2: it or a reference page is not there$/,
    ],
    [
      "a reference to what was dropped",
      (peer) => {
        peer.pages(0, 2);
        peer.pages(0, 2, {}, 1);
        peer.refer(0, duplicate(0));
      },
      /cluster 0: item 0: it or a reference page is not there$/,
    ],
    [
      "a record of a base that nobody has",
      (peer) => peer.refer(0, { kind: RecordKind.BASE, length: 1, frame: 0 }),
      /a record of kind 6 has no place in it$/,
    ],
    ["pages of another guest", (peer) => peer.pages(0, 2, { image: 1 }), /pages of another guest$/],
    [
      "a script that makes less than it says",
      (peer) => peer.bytes(0, [1, 2, 3], { streamBytes: 4 }),
      /vm0: a batch of 4 bytes has 3$/,
    ],
    [
      "a script that makes more than it says",
      (peer) => peer.bytes(0, [1, 2, 3], { streamBytes: 2 }),
      /vm0: script: byte 1: it makes 3 bytes more, there is room for 2$/,
    ],
    [
      "more than was agreed",
      (peer) => {
        for (let i = 0; i < 20; i++) peer.bytes(1, [], ZEROS);
      },
      /vm1: \d+ bytes are under way, 4194304 were agreed$/,
    ],
    [
      "words behind the last",
      (peer) => {
        peer.bytes(0, [1]);
        peer.send(SessionType.ABORT, 0, encodeReason("over"));
        peer.send(SessionType.PREPARE, 0, markOf([1]));
      },
      /PREPARE 3 of guest 0 without a stream$/,
    ],
    [
      "an end without a goodbye",
      (peer) => peer.link.end(),
      /it ended before its guests were complete$/,
    ],
  ];

  it.each(cases)("ends a session with %s", async (_, misbehave, line) => {
    const resources = await openResources(1);
    const { largestFreeBytes } = resources.arena;
    const peer = await openedPeer(resources);
    misbehave(peer);
    // Who comes behind must not be begun and left alone.
    if (line.source.includes("vm0")) peer.bytes(1, [5]);
    const error = await peer.serving;
    expect(lineOf(error)).toMatch(line);
    expect(resources.arena.largestFreeBytes).toBe(largestFreeBytes);
    for (const { ended, aborted } of peer.sinks.values()) {
      expect(ended).toBe(false);
      expect(aborted).toBeDefined();
    }
  });

  it("restores what is referred to, and releases only what was committed", async () => {
    const resources = await openResources(1);
    const peer = await openedPeer(resources);
    const page = new Uint8Array(4096).fill(7);
    peer.pages(1, 2);
    peer.send(SessionType.ABORT, 1, encodeReason("vm1: killed"));
    peer.refer(0, duplicate(0, 1));
    peer.bytes(0, [1, 2, 3], { isWithheld: true });
    // Behind what is withheld, whatever it says of itself.
    peer.bytes(0, [4]);
    const stream = [...[0, 0, 0, 0, 0, 0, 0, 8, 1, 98], ...page, 1, 2, 3, 4];
    peer.send(SessionType.PREPARE, 0, markOf(stream));
    const first = (await peer.next()) as SessionFrame;
    expect([first.type, first.guest]).toEqual([SessionType.ABORT, 1]);
    const prepared = (await peer.next()) as SessionFrame;
    expect(prepared.type).toBe(SessionType.PREPARED);
    expect(decodeMark(prepared).streamBytes).toBe(stream.length);
    expect([...(peer.sinks.get("vm0")?.bytes ?? [])]).toEqual(stream.slice(0, -4));
    peer.send(SessionType.COMMIT);
    peer.send(SessionType.END, 0, markOf(stream));
    peer.send(SessionType.BYE);
    peer.link.end();
    expect(await peer.serving).toBeUndefined();
    expect(peer.sinks.get("vm0")).toMatchObject({ bytes: Buffer.from(stream), ended: true });
    expect(peer.sinks.get("vm1")?.aborted).toBe("vm1: killed");
    expect(peer.overs).toEqual([
      ["vm1", "vm1: killed"],
      ["vm0", undefined],
    ]);
  });

  it("answers for a hypervisor only when that has taken all it may have", async () => {
    const peer = await openedPeer(await openResources(1));
    // This one takes nothing more after its first bytes.
    peer.bytes(1, [1, 2]);
    peer.bytes(1, [3], { isWithheld: true });
    peer.send(SessionType.PREPARE, 1, markOf([1, 2, 3]));
    peer.bytes(0, [4]);
    peer.send(SessionType.PREPARE, 0, markOf([4]));
    const first = (await peer.next()) as SessionFrame;
    expect([first.type, first.guest]).toEqual([SessionType.PREPARED, 0]);
    peer.send(SessionType.COMMIT, 1);
    expect(lineOf(await peer.serving)).toMatch(/vm1: COMMIT before PREPARED$/);
  });

  it("does not release a stream that is another one than at the source", async () => {
    const peer = await openedPeer(await openResources(1));
    peer.bytes(0, [1, 2]);
    peer.bytes(0, [3, 4], { isWithheld: true });
    peer.send(SessionType.PREPARE, 0, markOf([1, 2, 3, 4], 1n));
    const frame = (await peer.next()) as SessionFrame;
    expect(frame.type).toBe(SessionType.ABORT);
    expect(decodeReason(frame)).toBe("vm0: byte 4: the stream is another one than at the source");
    // It may have crossed that.
    peer.send(SessionType.COMMIT);
    peer.send(SessionType.ABORT, 0, encodeReason("so be it"));
    // The session is as good as before.
    peer.bytes(0, [5]);
    peer.send(SessionType.PREPARE, 0, markOf([5]));
    expect((await peer.next())?.type).toBe(SessionType.PREPARED);
    peer.send(SessionType.ABORT, 0, encodeReason("enough"));
    expect((await peer.next())?.type).toBe(SessionType.ABORT);
    peer.send(SessionType.BYE);
    peer.link.end();
    expect(await peer.serving).toBeUndefined();
    expect(peer.overs.map(([, reason]) => reason)).toEqual([
      "vm0: byte 4: the stream is another one than at the source",
      "enough",
    ]);
  });

  it("asks no hypervisor for a guest that is given up before it has come", async () => {
    const peer = await openedPeer(await openResources(1));
    peer.send(SessionType.ABORT, 1, encodeReason("vm1: never mind"));
    expect((await peer.next())?.type).toBe(SessionType.ABORT);
    peer.send(SessionType.BYE);
    peer.link.end();
    expect(await peer.serving).toBeUndefined();
    expect(peer.sinks.size).toBe(0);
    expect(peer.overs).toEqual([["vm1", "vm1: never mind"]]);
  });
});
