// The stream of a guest of pages: what is written is what is read, however it is cut; a gang takes
// it for what it is; and what a stranger makes of it ends in an error.
import { describe, expect, it } from "vitest";
import { ByteWriter } from "../../src/core/bytes.ts";
import { StreamFolder } from "../../src/qemu/folder.ts";
import {
  encodePagesHead,
  encodePagesTail,
  encodeStateHead,
  MAX_STATE_BYTES,
  PagePart,
} from "../../src/qemu/pagestream.ts";
import { PageStreamReader } from "../../src/qemu/pagestreamreader.ts";
import { makeStream } from "../support/qemustream.ts";
import { randomSeed, type SeededRandom, seededRandom } from "../support/random.ts";
import { expectTotal } from "../support/totality.ts";

const PAGE_BYTES = 4096;

/** Rounds over a memory of `frameCount` pages, and what it is at last. */
function made(random: SeededRandom, frameCount: number) {
  const memory = Buffer.alloc(frameCount * PAGE_BYTES, 0xee);
  const state = random.bytes(random.int(3000));
  const part = new PagePart();
  const pieces = [encodePagesHead(frameCount)];
  const addSome = (first: number, end: number): void => {
    for (let frame = first; frame < end; ) {
      if (part.room().length === 0) pieces.push(part.take().slice());
      const room = part.room();
      const count = Math.min(1 + random.int(40), end - frame, room.length / PAGE_BYTES);
      for (let i = 0; i < count; i++) {
        const page = random.int(3) > 0 ? random.bytes(PAGE_BYTES) : new Uint8Array(PAGE_BYTES);
        room.set(page, i * PAGE_BYTES);
        memory.set(page, (frame + i) * PAGE_BYTES);
      }
      part.add(frame, count);
      frame += count;
    }
    pieces.push(part.take().slice());
  };
  addSome(0, frameCount);
  for (let round = 0; round < 3; round++) {
    const first = random.int(frameCount);
    addSome(first, Math.min(frameCount, first + 1 + random.int(300)));
  }
  pieces.push(encodePagesTail(state));
  return { memory, state, pieces, bytes: Buffer.concat(pieces) };
}

/** What a reader makes of pieces. */
function readAll(pieces: Iterable<Uint8Array>) {
  const reader = new PageStreamReader("vm");
  let memory = Buffer.alloc(0);
  let state: Uint8Array | undefined;
  for (const piece of pieces) {
    for (const event of reader.take(piece)) {
      if (event.kind === "head") memory = Buffer.alloc(event.frameCount * PAGE_BYTES, 0xdd);
      else if (event.kind === "pages") memory.set(event.pages, event.frame * PAGE_BYTES);
      else if (event.kind === "zeros") {
        memory.fill(0, event.frame * PAGE_BYTES, (event.frame + event.count) * PAGE_BYTES);
      } else state = event.state;
    }
  }
  return { memory, state };
}

describe("a stream of pages", () => {
  it("is read as it was written, however it is cut", () => {
    const random = seededRandom(randomSeed("pagestream"));
    for (let n = 0; n < 12; n++) {
      const { memory, state, bytes } = made(random, 1 + random.int(700));
      const most = [7, 5000, 1 << 21][n % 3];
      const cut: Uint8Array[] = [];
      for (let at = 0; at < bytes.length; at += cut[cut.length - 1].length) {
        cut.push(bytes.subarray(at, at + 1 + random.int(most)));
      }
      const found = readAll(cut);
      expect(found.memory.equals(memory)).toBe(true);
      expect(Buffer.compare(found.state ?? Buffer.of(1), state)).toBe(0);
    }
  });

  it("is one that a gang folds", () => {
    const random = seededRandom(randomSeed("pagestream folded"));
    const { pieces, bytes } = made(random, 600);
    const folder = new StreamFolder("vm");
    const events: [string, number][] = [];
    let at = 0;
    let pageCount = 0;
    for (const piece of pieces) {
      for (let taken = 0; taken < piece.length; ) {
        const target = {
          pages: new Uint8Array(256 * PAGE_BYTES),
          pageCount: 0,
          frames: new Uint32Array(256),
          script: new ByteWriter(),
          streamBytes: 0,
        };
        const count = folder.fold(piece.subarray(taken), target);
        taken += count;
        at += count;
        pageCount += target.pageCount;
        const event = folder.takeEvent();
        if (event) events.push([event, at]);
      }
    }
    const [, ramEnd] = events[1];
    expect(events.map(([event]) => event)).toEqual(["returnPath", "ramEnd", "end"]);
    expect(events[2]).toEqual(["end", bytes.length]);
    expect(bytes.length - ramEnd).toBeLessThan(3100);
    expect(folder.frameCount).toBe(600);
    expect(pageCount).toBeGreaterThan(300);
  });

  it("is told from one of QEMU", () => {
    const { bytes } = makeStream(seededRandom(1));
    expect(() => readAll([bytes])).toThrow("vm: what comes is no stream of pages");
  });

  it.each<[string, (pieces: Uint8Array[]) => Uint8Array[], RegExp]>([
    ["frames that are not there", ([, ...rest]) => [encodePagesHead(3), ...rest], /frame 3/],
    ["a part that is none", ([head]) => [head, Buffer.alloc(9)], /not what follows there: 00000/],
    ["more than all", (pieces) => [...pieces, Buffer.of(0)], /it goes on behind its end/],
    [
      "a state that is too large",
      ([head]) => {
        const tail = encodePagesTail(new Uint8Array(0)).slice();
        tail.set(encodeStateHead(MAX_STATE_BYTES + 1), 18);
        return [head, tail];
      },
      /a state of 16777217 bytes/,
    ],
  ])("is refused with %s", (_, changed, message) => {
    const { pieces } = made(seededRandom(2), 20);
    expect(() => readAll(changed(pieces))).toThrow(message);
  });

  it("ends in an error of ours whatever is in it", () => {
    const { bytes } = made(seededRandom(3), 3);
    expectTotal(bytes, (mutated) => readAll([mutated.subarray(0, 90), mutated.subarray(90)]));
  });
});
