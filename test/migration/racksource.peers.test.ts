// What a source that sends pages by name does with a target that lies about names: it ends that
// session in one line, and gives everything back.
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { ByteWriter } from "../../src/core/bytes.ts";
import { MACHINE_CLOCK } from "../../src/migration/adaptiverate.ts";
import type { EngineResources } from "../../src/pipeline/resources.ts";
import { encodeDigests, encodeNumbers, MAX_NAMES } from "../../src/wire/rackheads.ts";
import { SessionType } from "../../src/wire/sessionframe.ts";
import { decodeSessionBatch } from "../../src/wire/sessionheads.ts";
import { closeEngines, keptEngines } from "../support/engine.ts";
import { LyingIndex } from "../support/faultyracks.ts";
import { feed, lineOf, Outgoing } from "../support/gang.ts";
import { guestStream, sharedPages } from "../support/gangstreams.ts";
import { seededRandom } from "../support/random.ts";
import { TargetPeer } from "../support/targetpeer.ts";

const { MISSING, RESOLVED, SHARED } = SessionType;
const SHAPE = { pages: 100, hasXbzrle: false };
const { bytes: STREAM } = guestStream(seededRandom(5), sharedPages(seededRandom(6), 40), SHAPE);

let resources: EngineResources;
beforeAll(async () => {
  [resources] = await keptEngines(1, { threads: 1 });
});
afterAll(closeEngines);

/** A source that has sent names to a target that is told what to say. */
async function begun() {
  const { largestFreeBytes } = resources.arena;
  const index = new LyingIndex(MACHINE_CLOCK);
  const peer = new TargetPeer(resources, {
    secret: new Uint8Array(32),
    join: async (rack) => {
      const member = await index.join(rack, "host");
      return { member, digestKey: new Uint8Array(32).fill(3) };
    },
  });
  await peer.greet({ rack: new TextEncoder().encode("r") });
  const source = await peer.opening;
  onTestFinished(() => source.close());
  const outgoing = new Outgoing();
  const guest = await source.guest(0, outgoing);
  await feed(guest, STREAM, seededRandom(7));
  for (;;) {
    const { names } = decodeSessionBatch(await peer.until(SessionType.BATCH));
    if (names) break;
  }
  const isFree = () => resources.arena.largestFreeBytes === largestFreeBytes;
  return { peer, source, outgoing, isFree };
}

function countOf(count: number): Uint8Array {
  const writer = new ByteWriter();
  writer.varint(count);
  return writer.take();
}

describe("a source whose pages go by name", () => {
  const cases: [string, [SessionType, Uint8Array][], RegExp][] = [
    [
      "resolves a name that was never given",
      [[RESOLVED, encodeNumbers([100_000])]],
      /name 100000 stands for nothing$/,
    ],
    [
      "resolves one twice",
      [
        [RESOLVED, encodeNumbers([0])],
        [RESOLVED, encodeNumbers([0])],
      ],
      /name 0 stands for nothing$/,
    ],
    [
      "resolves one twice at once",
      [[RESOLVED, encodeNumbers([0, 0])]],
      /name 0 stands for nothing$/,
    ],
    [
      "misses one that was never given",
      [[MISSING, encodeNumbers([70_000])]],
      /name 70000 stands for nothing$/,
    ],
    ["misses one twice", [[MISSING, encodeNumbers([0, 0])]], /name 0 is missing twice$/],
    [
      "misses one that it has resolved",
      [
        [RESOLVED, encodeNumbers([0])],
        [MISSING, encodeNumbers([0])],
      ],
      /name 0 stands for nothing$/,
    ],
    ["misses more than there is room to say", [[MISSING, countOf(MAX_NAMES + 1)]], /4097/],
    ["misses more than it names", [[MISSING, countOf(MAX_NAMES)]], /bytes are needed|ends/],
    ["shares half a digest", [[SHARED, countOf(33)]], /digests|bytes are needed/],
    [
      "shares digests that nobody has, and then is lost for words",
      [
        [SHARED, encodeDigests(new Uint8Array(32 * MAX_NAMES).fill(5))],
        [RESOLVED, encodeNumbers([99_999])],
      ],
      /name 99999 stands for nothing$/,
    ],
  ];

  it.each(cases)("ends a session with a target that %s", async (_, frames, line) => {
    const { peer, source, outgoing, isFree } = await begun();
    for (const [type, head] of frames) peer.send(type, 0, head);
    expect((await outgoing.over).kind).toBe("failed");
    const error = await source.ended.catch((reason: unknown) => reason);
    expect(lineOf(error)).toMatch(line);
    await source.close();
    expect(isFree()).toBe(true);
  });

  it("gives everything back when its target dies", async () => {
    const { peer, source, outgoing, isFree } = await begun();
    peer.send(MISSING, 0, encodeNumbers([0, 1, 2]));
    peer.link.destroy(new Error("dead"));
    expect((await outgoing.over).kind).toBe("failed");
    lineOf(await source.ended.catch((reason: unknown) => reason));
    await source.close();
    expect(isFree()).toBe(true);
  });

  it("does not take words about names for a session that has none", async () => {
    const peer = new TargetPeer(resources);
    await peer.greet();
    const source = await peer.opening;
    onTestFinished(() => source.close());
    await source.guest(0, new Outgoing());
    peer.send(RESOLVED, 0, encodeNumbers([]));
    const error = await source.ended.catch((reason: unknown) => reason);
    expect(lineOf(error)).toMatch(/record type \d+$/);
  });
});
