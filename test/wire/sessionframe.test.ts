// Frames of a session: they come back as they were sent, however the bytes are cut, and a changed
// byte never passes for a frame.
import { describe, expect, it } from "vitest";
import { PieceReader } from "../../src/core/piecereader.ts";
import { loadChecksum } from "../../src/wire/checksum.ts";
import {
  encodeSessionFrame,
  frameName,
  SESSION_HEADER_BYTES,
  type SessionFrame,
  SessionFrameReader,
  SessionType,
} from "../../src/wire/sessionframe.ts";
import { inPieces } from "../support/engine.ts";
import { randomSeed, type SeededRandom, seededRandom } from "../support/random.ts";

const checksum = await loadChecksum();

/** Frames read one after another, each copied; throws what the reader throws. */
async function readAll(bytes: Uint8Array, pieceBytes = bytes.length): Promise<SessionFrame[]> {
  const reader = new SessionFrameReader(
    new PieceReader(inPieces(bytes, Math.max(1, pieceBytes)), undefined),
    checksum,
  );
  const frames: SessionFrame[] = [];
  for (let frame = await reader.next(); frame; frame = await reader.next()) {
    frames.push({ ...frame, head: frame.head.slice(), body: frame.body.slice() });
  }
  return frames;
}

function anyFrame(random: SeededRandom, sequence: number): SessionFrame {
  const types = Object.values(SessionType);
  const type = types[random.int(types.length)];
  const head = random.bytes(random.int(200));
  const body = random.bytes(
    type === SessionType.BATCH || type === SessionType.EPOCH ? random.int(500) : 0,
  );
  return { type, guest: random.int(65_536), sequence, head, body };
}

function encode({ type, guest, sequence, head, body }: SessionFrame): Buffer {
  return Buffer.concat([
    encodeSessionFrame(type, guest, sequence, head, body.length, checksum),
    body,
  ]);
}

describe("a frame of a session", () => {
  it("is these bytes", () => {
    const head = Uint8Array.of(0xab, 0xcd);
    const bytes = encodeSessionFrame(SessionType.CREDIT, 0x0102, 0x01020304, head, 0, checksum);
    expect(Buffer.from(bytes).toString("hex")).toBe(
      "504653310400020104030201020000000000000000000000bfdc7bcf9bf84c3aabcd",
    );
  });

  it("comes back as it was sent, however the bytes are cut", async () => {
    const random = seededRandom(randomSeed("frames"));
    for (let round = 0; round < 60; round++) {
      const frames = Array.from({ length: 1 + random.int(6) }, (_, i) => anyFrame(random, i));
      const bytes = Buffer.concat(frames.map(encode));
      const got = await readAll(bytes, 1 + random.int(80));
      expect(got.map(frameName)).toEqual(frames.map(frameName));
      got.forEach(({ head, body }, i) => {
        expect(Buffer.compare(head, frames[i].head)).toBe(0);
        expect(Buffer.compare(body, frames[i].body)).toBe(0);
      });
    }
  });

  it("is refused when any byte of its header or head is another one", async () => {
    const random = seededRandom(randomSeed("frames"));
    const frame = { ...anyFrame(random, 0), type: SessionType.BATCH, head: random.bytes(30) };
    const bytes = encode({ ...frame, body: new Uint8Array(9) });
    for (let at = 0; at < SESSION_HEADER_BYTES + 30; at++) {
      const flipped = Buffer.from(bytes);
      flipped[at] ^= 1 << random.int(8);
      await expect(readAll(flipped), `byte ${at}`).rejects.toMatchObject({ code: "DAMAGED" });
    }
  });

  it("is refused when it is cut, repeated or left out", async () => {
    const random = seededRandom(randomSeed("frames"));
    const [first, second, third] = [0, 1, 2].map((i) => encode(anyFrame(random, i)));
    for (let length = 1; length < first.length; length++) {
      await expect(readAll(first.subarray(0, length))).rejects.toThrow(/session: .*it ends in/);
    }
    await expect(readAll(Buffer.concat([first, first]))).rejects.toThrow("number 1 was expected");
    await expect(readAll(Buffer.concat([first, third]))).rejects.toThrow("number 1 was expected");
    expect((await readAll(Buffer.concat([first, second, third]))).length).toBe(3);
  });

  it("announces no more than there may be", async () => {
    const cases: [Partial<SessionFrame>, number, RegExp][] = [
      [{ type: SessionType.BATCH }, (4 << 20) + 1, /BATCH 0 of guest 3: a body of 4194305 bytes$/],
      [{ type: SessionType.CREDIT }, 1, /CREDIT 0 of guest 3: a body of 1 bytes$/],
      [{ type: 22 as SessionType }, 0, /record type 22 is not known$/],
      [{ type: 0 as SessionType }, 0, /record type 0 is not known$/],
    ];
    for (const [{ type = SessionType.PING }, bodyBytes, line] of cases) {
      const bytes = encodeSessionFrame(type, 3, 0, new Uint8Array(0), bodyBytes, checksum);
      await expect(readAll(bytes)).rejects.toThrow(line);
    }
    const long = new Uint8Array((1 << 20) + 1);
    expect(() => encodeSessionFrame(SessionType.RETURN, 0, 0, long, 0, checksum)).toThrow();
  });

  it("is not hurt by anything", async () => {
    const frames = Buffer.concat([0, 1, 2].map((i) => encode(anyFrame(seededRandom(i), i))));
    const random = seededRandom(randomSeed("frames"));
    for (let round = 0; round < 300; round++) {
      const bytes = round % 4 === 0 ? random.bytes(random.int(200)) : Buffer.from(frames);
      for (let n = random.int(4); n > 0 && bytes.length > 0; n--) {
        bytes[random.int(bytes.length)] = random.int(256);
      }
      const cut = bytes.subarray(0, random.int(bytes.length + 1));
      await readAll(cut, 1 + random.int(50)).catch((error) => {
        expect(error).toMatchObject({ code: "DAMAGED" });
      });
    }
  });
});
