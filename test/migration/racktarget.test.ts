// What a target does with a source that breaks the rules of names: it ends that session alone, in
// one line, or takes no notice; no memory stays taken, and nothing waits for ever.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DIGEST_BYTES } from "../../src/core/page.ts";
import type { EngineResources } from "../../src/pipeline/resources.ts";
import { SealedPages } from "../../src/store/sealedpages.ts";
import { decodeDigests, decodeNumbers, encodeShare } from "../../src/wire/rackheads.ts";
import { type PagesHead, RecordKind } from "../../src/wire/records.ts";
import { type SessionFrame, SessionType } from "../../src/wire/sessionframe.ts";
import { encodeSessionBatch, type SessionBatch } from "../../src/wire/sessionheads.ts";
import { blake3Oracle } from "../oracle/blake3.ts";
import { closeEngines, keptEngines } from "../support/engine.ts";
import { FaultyPages, hastyClock } from "../support/faultyracks.ts";
import { lineOf } from "../support/gang.ts";
import { SourcePeer } from "../support/gangpeer.ts";

const KEY = new Uint8Array(32).fill(3);
const PATIENT = hastyClock(5);
const SECRET = new Uint8Array(32);
/** The page that a peer sends as content. */
const SEVENS = new Uint8Array(4096).fill(7);
const digestOfNumber = (n: number): Uint8Array =>
  blake3Oracle(new Uint8Array(Uint32Array.of(n).buffer), KEY);
const skip = (length: number) => ({ kind: RecordKind.SKIP, length }) as const;

let resources: EngineResources;
let store: FaultyPages;
beforeAll(async () => {
  [resources] = await keptEngines(1, { threads: 1 });
});
afterAll(closeEngines);

async function greeted(hasRack = true, isOfRacks = true) {
  store = new FaultyPages(PATIENT);
  const { largestFreeBytes } = resources.arena;
  const options = { name: "r", store: new SealedPages(store, KEY), digestKey: KEY, clock: PATIENT };
  const peer = new SourcePeer(resources, "", hasRack ? async () => options : undefined);
  peer.hello(isOfRacks ? { rack: SECRET } : {});
  expect((await peer.next())?.type).toBe(SessionType.HELLO);
  const isFree = (): boolean => resources.arena.largestFreeBytes === largestFreeBytes;
  return { peer, isFree };
}

/** `count` pages by name behind those that were named before. */
function nameNext(
  peer: SourcePeer,
  count: number,
  isFirst: boolean,
  more: Partial<SessionBatch> & { runs?: PagesHead["runs"] } = {},
): void {
  const script = Uint8Array.from([...(isFirst ? [7, 1, 98] : []), ...pagesStep(count)]);
  const { runs = [skip(count)], ...batch } = more;
  const head = { image: 0, firstFrame: 0, frameCount: count, firstCluster: 0 };
  const names = new Uint8Array(count * DIGEST_BYTES);
  for (let i = 0; i < count; i++) names.set(digestOfNumber(i), i * DIGEST_BYTES);
  const part = { streamBytes: count * 4104 + (isFirst ? 2 : 0), isWithheld: false, firstKept: 0 };
  const pages = { ...head, clusters: [], runs };
  peer.send(SessionType.BATCH, 0, encodeSessionBatch({ ...part, script, names, pages, ...batch }));
}

/** PAGES. */
function pagesStep(count: number): number[] {
  const step = count * 8 + 1;
  return step < 128 ? [step] : [(step & 127) | 128, step >> 7];
}

/** The next frame of a type; undefined if the session ends before. */
async function until(peer: SourcePeer, type: SessionType): Promise<SessionFrame | undefined> {
  for (let frame = await peer.link.next(); frame; frame = await peer.link.next()) {
    if (frame.type === type) return frame;
  }
  return undefined;
}

describe("a target to which pages go by name", () => {
  const cases: [string, (peer: SourcePeer) => void, RegExp, hasRack?: boolean][] = [
    ["names without a rack", (peer) => nameNext(peer, 1, true), /has names$/, false],
    [
      "fewer digests than names",
      (peer) => nameNext(peer, 3, true, { names: new Uint8Array(64) }),
      /3 pages have no digest$/,
    ],
    [
      "more digests than names",
      (peer) => nameNext(peer, 1, true, { names: new Uint8Array(64) }),
      /1 pages have no digest$/,
    ],
    [
      "names without digests",
      (peer) => nameNext(peer, 2, true, { names: undefined }),
      /2 pages have no digest$/,
    ],
    [
      "digests without pages",
      (peer) => peer.bytes(0, [1, 2], { names: new Uint8Array(32) }),
      /names without pages$/,
    ],
    [
      "half a digest",
      (peer) => nameNext(peer, 1, true, { names: new Uint8Array(40) }),
      /digests of 40 bytes$/,
    ],
    [
      "content for a name that was never given",
      (peer) => answerWith(peer, [5]),
      /content came for name 5, which nobody gave$/,
    ],
    [
      "content for more names than pages",
      (peer) => answerWith(peer, [0, 1], 1),
      /1 pages answer 2 names$/,
    ],
    [
      "content that is a name itself",
      (peer) => {
        nameNext(peer, 1, true);
        nameNext(peer, 1, false, { answers: [0], script: new Uint8Array(0), streamBytes: 0 });
      },
      /pages answer 1 names$/,
    ],
    [
      "content for names without a rack",
      (peer) => answerWith(peer, [0]),
      /answers names that nobody has asked for$/,
      false,
    ],
    [
      "SHARE without a rack",
      (peer) => peer.send(SessionType.SHARE, 0, shareOf([[0, 0]])),
      /SHARE 1 of guest 0 without a stream$/,
      false,
    ],
    [
      "SHARE of more than a batch",
      (peer) => peer.send(SessionType.SHARE, 0, shareOf(new Array(513).fill([0, 0]))),
      /16416/,
    ],
  ];

  it.each(cases)("ends a session with %s", async (_, misbehave, line, hasRack = true) => {
    const { peer, isFree } = await greeted(hasRack);
    misbehave(peer);
    expect(lineOf(await peer.serving)).toMatch(line);
    expect(isFree()).toBe(true);
  });

  it("takes no names in a session of version 1", async () => {
    const { peer } = await greeted(true, false);
    nameNext(peer, 1, true);
    expect(lineOf(await peer.serving)).toMatch(/has names$/);
  });

  it("puts no more off than it has room for", async () => {
    const { peer, isFree } = await greeted();
    store.before = () => new Promise(() => undefined);
    let isOver = false;
    void peer.serving.then(() => {
      isOver = true;
    });
    for (let i = 0; i < 70 && !isOver; i++) {
      nameNext(peer, 512, i === 0);
      await until(peer, SessionType.CREDIT);
    }
    expect(lineOf(await peer.serving)).toMatch(/vm0: more than 32768 pages are put off$/);
    expect(isFree()).toBe(true);
  });

  it("asks for what must be there, and does not outlive its source", async () => {
    const { peer, isFree } = await greeted();
    store.before = () => new Promise(() => undefined);
    nameNext(peer, 3, true);
    nameNext(peer, 2, false, { settles: true });
    const missing = await until(peer, SessionType.MISSING);
    expect(missing && decodeNumbers(missing)).toEqual([0, 1, 2]);
    peer.link.destroy(new Error("dead"));
    lineOf(await peer.serving);
    expect(isFree()).toBe(true);
  });

  it("shares nothing that is not there, was dropped or is another, and goes on", async () => {
    const { peer, isFree } = await greeted();
    peer.pages(0, 2);
    peer.pages(0, 1, {}, 1);
    for (let i = 0; i < 20; i++) {
      peer.send(SessionType.SHARE, 0, shareOf([[99, 0]]));
      peer.send(SessionType.SHARE, 0, shareOf([[0, 0]]));
      peer.send(SessionType.SHARE, 0, shareOf([[1, 9]]));
      peer.send(SessionType.SHARE, 0, shareOf([[1, 0]], [digestOfNumber(1)]));
    }
    peer.send(SessionType.SHARE, 0, encodeShare({ digests: new Uint8Array(0), slots: [] }));
    // What is wrong with some does not matter to the others.
    const digest = blake3Oracle(SEVENS, KEY);
    const slots: [number, number][] = [
      [99, 0],
      [1, 9],
      [1, 0],
      [0, 0],
      [1, 0],
    ];
    const wrong = digestOfNumber(1);
    const digests = [wrong, wrong, digest, digest, wrong];
    peer.send(SessionType.SHARE, 0, shareOf(slots, digests));
    const shared = await until(peer, SessionType.SHARED);
    expect(shared && decodeDigests(shared)).toEqual(digest);
    expect((await store.status()).pages).toBe(1);
    peer.link.destroy(new Error("enough"));
    await peer.serving;
    expect(isFree()).toBe(true);
  });
});

function shareOf(slots: [number, number][], digests: Uint8Array[] = []): Uint8Array {
  const all = new Uint8Array(slots.length * DIGEST_BYTES);
  for (const [i, digest] of digests.entries()) all.set(digest, i * DIGEST_BYTES);
  return encodeShare({ digests: all, slots });
}

/** The page of sevens as the content of names. */
function answerWith(peer: SourcePeer, answers: number[], count = answers.length): void {
  const pages: PagesHead = {
    image: 0,
    firstFrame: 0,
    frameCount: count,
    firstCluster: 0,
    clusters: [],
    runs: [{ kind: RecordKind.UNIFORM, length: count, word: 0x0707070707070707n }],
  };
  const part = { streamBytes: 0, isWithheld: false, firstKept: 0, script: new Uint8Array(0) };
  peer.send(SessionType.BATCH, 0, encodeSessionBatch({ ...part, pages, answers }));
}
