// The worked example of docs/session.md §9: what it shows must be what is sent. Every line of it
// that begins with an offset is compared, as far as it lists bytes one after another.
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import type { Connection } from "../../src/transport/connection.ts";
import { loopbackPair } from "../../src/transport/loopback.ts";
import { openGang, openResources } from "../support/gang.ts";
import { StreamMaker } from "../support/qemustream.ts";

const HEADER_BYTES = 32;
const text = readFileSync(new URL("../../docs/session.md", import.meta.url), "utf8");
const example = text.slice(text.indexOf("## 9."), text.indexOf("## 10."));

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
  maker.u8(4).be32(3).name("timer").be32(0).be32(1).raw(Buffer.from("ticks")).footer(3).u8(0);
  return maker.description("{}").made().bytes;
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
function dumpLines(): { frame: string; offset: number; bytes: string }[] {
  const parts = example.split(/^\*\*([ST]\d+)\*\*, /m).slice(1);
  return parts.flatMap((frame, i) => {
    if (i % 2 === 1) return [];
    return [...parts[i + 1].matchAll(/^ {4}([0-9a-f]{4}) {2}(.*)$/gm)].map(([, offset, rest]) => {
      const [bytes] = /^([0-9a-f]{2}( {1,2}|$))*/.exec(rest) ?? [""];
      return { frame, offset: Number.parseInt(offset, 16), bytes: bytes.replace(/ /g, "") };
    });
  });
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
  const lines = dumpLines();
  expect(lines.length).toBeGreaterThan(50);
  const found = lines.map(({ frame, offset, bytes }) => {
    const whole = frames[frame[0] as "S" | "T"][Number(frame.slice(1))];
    const there = whole.toString("hex", offset, offset + bytes.length / 2);
    return { frame, offset, bytes: there };
  });
  expect(found).toEqual(lines);
});
