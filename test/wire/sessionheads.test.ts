// The heads of a session's frames: they come back as they were written, and nothing else is taken
// for one.
import { describe, expect, it } from "vitest";
import { RecordKind } from "../../src/wire/records.ts";
import { type SessionFrame, SessionType } from "../../src/wire/sessionframe.ts";
import {
  decodeHello,
  decodeMark,
  decodeReason,
  decodeSessionBatch,
  encodeHello,
  encodeMark,
  encodeReason,
  encodeSessionBatch,
  type SessionBatch,
} from "../../src/wire/sessionheads.ts";
import { randomSeed, seededRandom } from "../support/random.ts";
import { expectTotal } from "../support/totality.ts";

function frameOf(head: Uint8Array, bodyBytes = 0, guest = 3): SessionFrame {
  const body = new Uint8Array(bodyBytes);
  return { type: SessionType.BATCH, guest, sequence: 12, head, body };
}

const BATCH: SessionBatch = {
  streamBytes: 9000,
  isWithheld: true,
  firstKept: 4,
  script: Uint8Array.of(9, 8, 7),
  settles: false,
  pages: {
    image: 3,
    firstFrame: 0,
    frameCount: 6,
    firstCluster: 7,
    clusters: [{ byteLength: 100, itemCount: 2, isDeltas: false }],
    runs: [
      { kind: RecordKind.STORED, length: 2 },
      { kind: RecordKind.UNIFORM, length: 1, word: 77n },
      { kind: RecordKind.DUPLICATE, length: 3, cluster: 5, item: 1 },
    ],
  },
};

const OF_NO_STREAM = { streamBytes: 0, script: new Uint8Array(0) };

/** The pages of BATCH, of which two are sent by name. */
function namedPages() {
  const pages = BATCH.pages as NonNullable<SessionBatch["pages"]>;
  const [stored, , equal] = pages.runs;
  const runs = [stored, { kind: RecordKind.SKIP, length: 2 }, { ...equal, length: 2 }];
  return { ...pages, runs } as typeof pages;
}

describe("a hello", () => {
  const hello = {
    scope: "rack 7",
    slotBytes: 2 ** 40,
    creditBytes: 12 << 20,
    guests: ["web", "ü"],
  };

  it("comes back as it was written", () => {
    expect(decodeHello(frameOf(encodeHello(hello)))).toEqual(hello);
  });

  it("of another version is refused by its number", () => {
    const head = encodeHello(hello);
    head[0] = 3;
    expect(() => decodeHello(frameOf(head))).toThrow("version 3 of the session, this is version 2");
  });

  it("of a rack is of version 2, and says a key or a name", () => {
    for (const rack of [new Uint8Array(0), Uint8Array.from({ length: 32 }, (_, i) => i)]) {
      const head = encodeHello({ ...hello, rack });
      expect(head[0]).toBe(2);
      expect(decodeHello(frameOf(head))).toEqual({ ...hello, rack });
    }
    const long = encodeHello({ ...hello, rack: new Uint8Array(257) });
    expect(() => decodeHello(frameOf(long))).toThrow("257");
  });

  it("names no more guests than there may be", () => {
    const guests = Array.from({ length: 4097 }, (_, i) => `${i}`);
    expect(() => decodeHello(frameOf(encodeHello({ ...hello, guests })))).toThrow("limit of 4096");
  });

  it("is total", () => expectTotal(encodeHello(hello), (bytes) => decodeHello(frameOf(bytes))));
});

describe("a batch", () => {
  it("comes back as it was written, with pages and without", () => {
    expect(decodeSessionBatch(frameOf(encodeSessionBatch(BATCH), 100))).toEqual(BATCH);
    for (const isWithheld of [false, true]) {
      const batch = { ...BATCH, isWithheld, pages: undefined };
      expect(decodeSessionBatch(frameOf(encodeSessionBatch(batch)))).toEqual(batch);
    }
  });

  it("is of its guest, begins at page 0, and has a body only with pages", () => {
    const head = encodeSessionBatch(BATCH);
    expect(() => decodeSessionBatch(frameOf(head, 100, 2))).toThrow("pages of another guest");
    const pages = { ...(BATCH.pages as NonNullable<SessionBatch["pages"]>), firstFrame: 1 };
    const shifted = encodeSessionBatch({ ...BATCH, pages });
    expect(() => decodeSessionBatch(frameOf(shifted, 100))).toThrow("pages of another guest");
    expect(() => decodeSessionBatch(frameOf(head, 99))).toThrow("clusters of 100 bytes in 99");
    const bare = encodeSessionBatch({ ...BATCH, pages: undefined });
    expect(() => decodeSessionBatch(frameOf(bare, 1))).toThrow("a body without pages");
  });

  it("stands for no more than there may be", () => {
    const long = encodeSessionBatch({ ...BATCH, streamBytes: (4 << 20) + 1 });
    expect(() => decodeSessionBatch(frameOf(long, 100))).toThrow("limit of 4194304");
    const runs = [{ kind: RecordKind.ZERO, length: 513 } as const];
    const pages = { image: 3, firstFrame: 0, frameCount: 513, firstCluster: 0, clusters: [], runs };
    const many = encodeSessionBatch({ ...BATCH, pages });
    expect(() => decodeSessionBatch(frameOf(many))).toThrow("513 pages");
  });

  it("brings a digest for each page that is sent by name", () => {
    const pages = namedPages();
    const names = Uint8Array.from({ length: 64 }, (_, i) => i);
    const batch = { ...BATCH, settles: true, names, pages };
    expect(decodeSessionBatch(frameOf(encodeSessionBatch(batch), 100))).toEqual(batch);
    for (const wrong of [undefined, names.subarray(32), new Uint8Array(96)]) {
      const head = encodeSessionBatch({ ...batch, names: wrong });
      expect(() => decodeSessionBatch(frameOf(head, 100))).toThrow("2 pages have no digest");
    }
    const cut = encodeSessionBatch({ ...batch, names: names.subarray(1) });
    expect(() => decodeSessionBatch(frameOf(cut, 100))).toThrow("digests of 63 bytes");
    const bare = encodeSessionBatch({ ...BATCH, names, pages: undefined });
    expect(() => decodeSessionBatch(frameOf(bare))).toThrow("names without pages");
  });

  it("answers as many names as it has pages, none of which has a name itself", () => {
    const answers = [900, 3, 4, 5, 2 ** 40, 0];
    const batch = { ...BATCH, ...OF_NO_STREAM, answers };
    expect(decodeSessionBatch(frameOf(encodeSessionBatch(batch), 100))).toEqual(batch);
    for (const part of [{ streamBytes: 1 }, { script: Uint8Array.of(0) }]) {
      const head = encodeSessionBatch({ ...batch, ...part });
      expect(() => decodeSessionBatch(frameOf(head, 100))).toThrow("part of a stream");
    }
    const few = encodeSessionBatch({ ...batch, answers: [1] });
    expect(() => decodeSessionBatch(frameOf(few, 100))).toThrow("6 pages answer 1 names");
    const pages = namedPages();
    const named = encodeSessionBatch({ ...batch, pages, names: new Uint8Array(64) });
    expect(() => decodeSessionBatch(frameOf(named, 100))).toThrow("6 pages answer 6 names");
  });

  it("is total", () => {
    const pages = namedPages();
    const names = new Uint8Array(64);
    expectTotal(encodeSessionBatch({ ...BATCH, names, pages }), (bytes) =>
      decodeSessionBatch(frameOf(bytes, 100)),
    );
    expectTotal(
      encodeSessionBatch({ ...BATCH, ...OF_NO_STREAM, answers: [5, 6, 7, 8, 9, 1] }),
      (bytes) => decodeSessionBatch(frameOf(bytes, 100)),
    );
  });

  it("of a gang is total", () =>
    expectTotal(encodeSessionBatch(BATCH), (bytes) => decodeSessionBatch(frameOf(bytes, 100))));
});

describe("a mark", () => {
  it("comes back as it was written", () => {
    const random = seededRandom(randomSeed("mark"));
    for (let round = 0; round < 100; round++) {
      const hash = Buffer.from(random.bytes(8)).readBigUInt64LE();
      const mark = { streamBytes: random.int(2 ** 32) * random.int(2 ** 20), hash };
      expect(decodeMark(frameOf(encodeMark(mark)))).toEqual(mark);
    }
  });

  it("is total", () =>
    expectTotal(encodeMark({ streamBytes: 300, hash: 5n }), (bytes) => decodeMark(frameOf(bytes))));
});

describe("a reason", () => {
  it("is one line that moves no cursor, and not too long", () => {
    const said = (text: string): string => decodeReason(frameOf(encodeReason(text)));
    expect(said("vm0: it has died")).toBe("vm0: it has died");
    expect(said("a\r\nb\u001b[2Jc\u0085d")).toBe("a b [2Jc d");
    expect(said("x".repeat(5000)).length).toBe(1024);
    // Cut in the middle of a letter.
    expect(said(`${"x".repeat(1023)}ü`)).toMatch(/^x{1023}\ufffd$/);
  });

  it("is total", () => expectTotal(encodeReason("over"), (bytes) => decodeReason(frameOf(bytes))));
});
