// Parts of epochs come back as they were, and hostile bytes are refused.
import { describe, expect, it } from "vitest";
import { MAX_PART_BYTES, PartCodec } from "../../src/replication/partcodec.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const codec = new PartCodec();

describe("the codec of parts", () => {
  it("gives back what it was given, of any length", () => {
    const random = seededRandom(randomSeed("parts"));
    for (const length of [0, 1, 63, 4096, 100_000, MAX_PART_BYTES - 1, MAX_PART_BYTES]) {
      const noise = random.bytes(length);
      const plain = new Uint8Array(length).map((_, i) => (i % 97 < 90 ? i % 7 : noise[i]));
      for (const content of [noise, plain]) {
        const body = codec.compress(content).slice();
        expect(body.length).toBeLessThanOrEqual(length);
        const back = codec.decompress(body, length, "a part");
        expect(Buffer.compare(back, content)).toBe(0);
      }
      if (length >= 4096) expect(codec.compress(plain).length).toBeLessThan(length / 2);
    }
  });

  it("writes content in terms of a prefix, and reads it behind the same one alone", () => {
    const random = seededRandom(randomSeed("parts behind a prefix"));
    for (const length of [1, 40, 4096, 300_000, MAX_PART_BYTES]) {
      const older = random.bytes(length);
      const content = older.slice();
      for (let at = random.int(900); at < length; at += 900) content[at] ^= 1;
      const prefix = { pieces: [random.bytes(700), older], olderAt: length };
      const body = codec.compress(content, prefix);
      if (length >= 4096) expect(body.length).toBeLessThan(32 + length / 100);
      const back = codec.decompress(body, length, "a part", { ...prefix, olderAt: 0 });
      expect(Buffer.compare(back, content)).toBe(0);
      if (body.length === length) continue;
      expect(() => codec.decompress(body, length, "a part")).toThrow(/^a part: it decodes to -\d+/);
    }
  });

  it("refuses what does not decode to its length, and nothing crashes it", () => {
    const random = seededRandom(randomSeed("parts, damaged"));
    const content = new Uint8Array(20_000).map((_, i) => i % 11);
    const body = codec.compress(content).slice();
    const refused = /^DAMAGED a part: /;
    const outcome = (bytes: Uint8Array, length: number): string => {
      try {
        return `${codec.decompress(bytes, length, "a part").length} bytes`;
      } catch (error) {
        const { code, message } = error as Error & { code: string };
        return `${code} ${message}`;
      }
    };
    expect(outcome(body, content.length - 1)).toMatch(refused);
    expect(outcome(body, content.length + 1)).toMatch(refused);
    expect(outcome(body, 10)).toMatch(refused);
    expect(outcome(body.subarray(0, body.length - 1), content.length)).toMatch(refused);
    for (let i = 0; i < 500; i++) {
      const broken = body.slice();
      broken[random.int(broken.length)] ^= 1 << random.int(8);
      expect(outcome(broken, content.length)).toMatch(/^DAMAGED a part: |^20000 bytes$/);
    }
  });
});
