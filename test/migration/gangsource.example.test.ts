// The worked examples of docs/session.md §11: what they show must be what is sent. Every line of
// them that begins with an offset is compared, as far as it lists bytes one after another.
import { readFileSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { expect, it } from "vitest";
import { DIGEST_BYTES } from "../../src/core/page.ts";
import { rackKeys } from "../../src/store/rackkeys.ts";
import { Claim, type IndexMember } from "../../src/store/store.ts";
import type { Connection } from "../../src/transport/connection.ts";
import { loopbackPair } from "../../src/transport/loopback.ts";
import { openGang, openResources, until } from "../support/gang.ts";
import { rawGroup } from "../support/pagegroups.ts";
import { StreamMaker } from "../support/qemustream.ts";
import { LoadingSink } from "../support/rackgangs.ts";
import { VirtualClock } from "../support/virtualclock.ts";

const HEADER_BYTES = 32;
const text = readFileSync(new URL("../../docs/session.md", import.meta.url), "utf8");

/** What stands below a heading. */
function sectionOf(heading: string): string {
  const from = text.indexOf(`\n${heading}\n`);
  if (from < 0) throw new Error(`${heading} is missing`);
  const to = text.indexOf("\n##", from + 1);
  return text.slice(from, to < 0 ? text.length : to);
}

/** A device, the end and a description. */
function endOf(maker: StreamMaker): StreamMaker {
  maker.u8(4).be32(3).name("timer").be32(0).be32(1).raw(Buffer.from("ticks")).footer(3).u8(0);
  return maker.description("{}");
}

/** The migration stream of a guest of four pages. */
function tinyStream(): Uint8Array {
  const page = Buffer.alloc(4096);
  page.write("one page of memory\n");
  const word = Buffer.alloc(4096, "ABCDEFG\n");
  const maker = new StreamMaker().magic().command(1);
  maker.startRam([{ name: "ram", pages: 4 }]).part(3);
  maker.record("page", 0, 0, page).record("zero", 0, 1);
  maker.record("page", 0, 2, word).record("page", 0, 3, page);
  maker.endOfPart().footer();
  return endOf(maker).made().bytes;
}

/** Keeps a copy of all that is written to a connection. */
function keeping(connection: Connection, pieces: Uint8Array[]): Connection {
  const write = (parts: readonly Uint8Array[]): Promise<void> => {
    pieces.push(...parts.map((part) => part.slice()));
    return connection.write(parts);
  };
  return new Proxy(connection, {
    get(target, key) {
      if (key === "write") return write;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** The frames of one direction; their number in it is their place. */
function framesOf(pieces: readonly Uint8Array[]): Buffer[] {
  let rest = Buffer.concat(pieces);
  const frames: Buffer[] = [];
  while (rest.length > 0) {
    const length = HEADER_BYTES + rest.readUInt32LE(12) + rest.readUInt32LE(16);
    frames.push(rest.subarray(0, length));
    rest = rest.subarray(length);
  }
  return frames;
}

/** The lines "offset  bytes …" below each "**S2**, …", as far as bytes are listed. */
function dumpLines(example: string): { frame: string; offset: number; bytes: string }[] {
  const parts = example.split(/^\*\*([ST]\d+)\*\*, /m).slice(1);
  return parts.flatMap((frame, i) => {
    if (i % 2 === 1) return [];
    return [...parts[i + 1].matchAll(/^ {4}([0-9a-f]{4}) {2}(.*)$/gm)].map(([, offset, rest]) => {
      const [bytes] = /^([0-9a-f]{2}( {1,2}|$))*/.exec(rest) ?? [""];
      return { frame, offset: Number.parseInt(offset, 16), bytes: bytes.replace(/ /g, "") };
    });
  });
}

/** What the document shows of these frames, as it is and as it should be. */
function compare(heading: string, frames: { S: Buffer[]; T: Buffer[] }): void {
  const lines = dumpLines(sectionOf(heading));
  expect(lines.length).toBeGreaterThan(35);
  const found = lines.map(({ frame, offset, bytes }) => {
    const whole = frames[frame[0] as "S" | "T"][Number(frame.slice(1))];
    const there = whole.toString("hex", offset, offset + bytes.length / 2);
    return { frame, offset, bytes: there };
  });
  expect(found).toEqual(lines);
}

it("docs/session.md: shows the bytes of a session", async () => {
  const stream = tinyStream();
  const sent: Uint8Array[] = [];
  const answered: Uint8Array[] = [];
  const [left, right] = loopbackPair();
  const gang = await openGang({
    streams: [stream],
    // The target has room for all that the source would like to be kept.
    sourceEngine: await openResources(0, 64 << 20),
    targetEngine: await openResources(0, 256 << 20),
    connections: [keeping(left, sent), keeping(right, answered)],
    source: { times: { heartbeatMs: 1 << 30 } },
  });
  const guest = await gang.begin(0);
  guest.write(stream);
  expect(await gang.outgoing[0].over).toMatchObject({ kind: "migrated" });
  await gang.source.close();
  expect(await gang.serving).toBeUndefined();
  expect(gang.incoming.get("vm0")?.bytes.equals(stream)).toBe(true);

  const frames = { S: framesOf(sent), T: framesOf(answered) };
  expect([frames.S.length, frames.T.length]).toEqual([8, 7]);
  compare("### A guest", frames);
});

const SECRET = new Uint8Array(32).fill(7);

/** The stream in which two pages go by name, and where it is cut. */
function namedStream(): { bytes: Uint8Array; cuts: number[] } {
  const pages = ["of this host", "of the store", "of nobody"].map((whose) => {
    const page = Buffer.alloc(4096);
    page.write(`a page ${whose}\n`);
    return page;
  });
  const maker = new StreamMaker().magic().command(1);
  const cuts = [maker.out.length];
  maker.startRam([{ name: "ram", pages: 3 }]).part(3);
  pages.forEach((page, i) => {
    maker.record("page", 0, i, page);
  });
  cuts.push(maker.out.length);
  maker.endOfPart().footer();
  cuts.push(maker.out.length);
  return { bytes: endOf(maker).made().bytes, cuts };
}

/** The first page is ours and wanted, the second is stored, the third is another's. */
function namedMember(): IndexMember {
  const nothing = { digests: new Uint8Array(0), handles: new Uint32Array(0) };
  return {
    token: 1,
    claim: async (digests, handles) => ({
      states: Uint8Array.of(Claim.OURS, Claim.STORED, Claim.CLAIMED).subarray(0, handles.length),
      wants: { digests: digests.slice(0, DIGEST_BYTES), handles: handles.slice(0, 1) },
    }),
    wants: async () => nothing,
    stored: async () => undefined,
    takeOver: async () => undefined,
    release: async () => undefined,
    leave: async () => undefined,
  };
}

it("docs/session.md: shows the bytes of a session with names", async () => {
  const { bytes, cuts } = namedStream();
  const sent: Uint8Array[] = [];
  const answered: Uint8Array[] = [];
  const frames = () => ({ S: framesOf(sent), T: framesOf(answered) });
  const have = (source: number, target: number): Promise<void> =>
    until(() => frames().S.length >= source && frames().T.length >= target);
  const clock = new VirtualClock();
  // Little time beside many turns: nothing must become impatient.
  const passUntil = async (target: number): Promise<void> => {
    for (let i = 1; frames().T.length < target; i++) {
      await turn();
      if (i % 50 === 0) await clock.pass(10);
    }
  };
  const [left, right] = loopbackPair();
  let find = (): void => undefined;
  const isFound = new Promise<void>((resolve) => {
    find = resolve;
  });
  const stored = Buffer.alloc(4096);
  stored.write("a page of the store\n");
  const store = {
    put: async () => have(4, 3),
    get: async (digests: Uint8Array) => {
      await isFound;
      const first = digests.subarray(0, DIGEST_BYTES);
      return digests.length > DIGEST_BYTES ? [rawGroup(first, [stored])] : [];
    },
  };
  const rack = { digestKey: rackKeys(SECRET, "").digestKey, clock };
  const gang = await openGang({
    streams: [bytes],
    sourceEngine: await openResources(0, 256 << 20),
    targetEngine: await openResources(0, 512 << 20),
    connections: [keeping(left, sent), keeping(right, answered)],
    source: {
      times: { heartbeatMs: 1 << 30 },
      rack: { secret: SECRET, join: async () => ({ ...rack, member: namedMember() }) },
    },
    target: { rack: async () => ({ ...rack, name: "east", store }) },
    sinkOf: (_, returns) => new LoadingSink(returns),
  });
  const guest = await gang.begin(0);
  guest.write(bytes.subarray(0, cuts[0]));
  await have(2, 2);
  // The first page goes, and is wanted; the second is found.
  guest.write(bytes.subarray(cuts[0], cuts[1]));
  await have(4, 4);
  find();
  await passUntil(5);
  // The memory ends: the third cannot be waited for.
  guest.write(bytes.subarray(cuts[1], cuts[2]));
  await have(6, 7);
  await passUntil(8);
  guest.write(bytes.subarray(cuts[2]));
  expect(await gang.outgoing[0].over).toMatchObject({ kind: "migrated" });
  await gang.source.close();
  expect(await gang.serving).toBeUndefined();
  compare("### A guest with names", frames());
});
