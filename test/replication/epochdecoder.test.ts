// Parts that lie: of sizes, of pieces, of anything. They are refused in one line, or give patches
// of the guest's frames; reads of what is held stay within it.
import { describe, expect, it } from "vitest";
import { ByteWriter } from "../../src/core/bytes.ts";
import { EpochDecoder, type HeldMemory } from "../../src/replication/epochdecoder.ts";
import { EpochEncoder } from "../../src/replication/epochencoder.ts";
import { encodeIndex, type PartIndex } from "../../src/replication/memorypart.ts";
import { PartCodec } from "../../src/replication/partcodec.ts";
import { openPatch } from "../../src/replication/patch.ts";
import { Shadow } from "../../src/replication/shadow.ts";
import { MadeGuest } from "../support/madeguest.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const FRAMES = 64;
const codec = new PartCodec();
const decoder = new EpochDecoder();

const held: HeldMemory = {
  frameCount: FRAMES,
  isFull: false,
  async read(frames) {
    for (const [i, frame] of frames.entries()) {
      if (frame >= FRAMES || (i > 0 && frame <= frames[i - 1])) throw new Error(`read ${frame}`);
    }
    return new Uint8Array(frames.length * 4096).fill(7);
  },
};

/** What becomes of a part, as a line. */
async function outcome(body: Uint8Array, contentBytes: number): Promise<string> {
  try {
    const patches = await decoder.memory({ body, contentBytes }, held, "a part");
    for (const bytes of patches) openPatch(bytes, FRAMES, "a patch");
    return `${patches.length} patches`;
  } catch (error) {
    const { code, message } = error as Error & { code: string };
    return `${code} ${message}`;
  }
}

function bodyOf(index: PartIndex, blocks: Uint8Array): Uint8Array {
  const plain = encodeIndex(index);
  const coded = codec.compress(plain);
  const out = new ByteWriter();
  out.varint(plain.length);
  out.varint(coded.length);
  out.raw(coded);
  out.raw(blocks);
  return out.take();
}

describe("the decoder of epochs", () => {
  const index: PartIndex = {
    frames: Uint32Array.of(5),
    masks: Uint32Array.of(3, 0),
    pieces: [{ firstBlock: 0, blockCount: 4 }],
  };
  const content = new Uint8Array(128).fill(7);

  it.each<[string, Uint8Array, number, RegExp]>([
    ["blocks as they are", bodyOf(index, content), 128, /^1 patches$/],
    ["nothing", new Uint8Array(0), 128, /^DAMAGED a part: /],
    ["an index alone", bodyOf(index, new Uint8Array(0)), 128, /^DAMAGED a part: it decodes to -/],
    ["another size", bodyOf(index, content), 192, /^DAMAGED a part: .*192 bytes of content for 2/],
    ["too much", bodyOf(index, new Uint8Array(129)), 128, /^DAMAGED a part: 129 bytes for 128/],
    [
      "a piece outside",
      bodyOf({ ...index, pieces: [{ firstBlock: 4095, blockCount: 2 }] }, content),
      128,
      /^DAMAGED a part: its index: .*a piece up to block 4097 of 4096/,
    ],
    [
      "an index that is too long",
      Uint8Array.of(0xff, 0xff, 0xff, 0x7f, 1, 0),
      128,
      /^DAMAGED a part: .*over the limit/,
    ],
  ])("takes or refuses %s", async (_, body, contentBytes, line) => {
    expect(await outcome(body, contentBytes)).toMatch(line);
  });

  it("refuses what was broken, whatever it is, or takes it for another part", async () => {
    const random = seededRandom(randomSeed("epochdecoder"));
    const guest = new MadeGuest(random, [FRAMES]);
    const [shadow, encoder] = [new Shadow(), new EpochEncoder()];
    await guest.epoch(shadow);
    shadow.takeChanges();
    guest.memory.copyWithin(4096 + 5, 9 * 4096, 12 * 4096);
    await guest.epoch(shadow);
    const [{ body, contentBytes }] = [...encoder.memory(shadow, shadow.takeChanges())];
    for (let round = 0; round < 3000; round++) {
      const end = random.int(8) === 0 ? random.int(body.length) : body.length;
      const broken = body.slice(0, end);
      for (let i = random.int(3); i >= 0 && end > 0; i--) {
        const near = random.int(2) === 0 ? Math.min(end, 100) : end;
        broken[random.int(near)] = random.int(256);
      }
      const line = await outcome(broken, contentBytes);
      expect(line).toMatch(/^(DAMAGED a part: [^\n]+|1 patches)$/);
    }
  });
});
