// Feeds a decoder random bytes and mutations of good ones. A decoder is total when only DAMAGED and
// FORMAT come out of it; a RangeError or an allocation that fails is a finding.
import { PagefoldError } from "../../src/core/errors.ts";
import { randomSeed, seededRandom } from "./random.ts";

const ROUNDS = 3000;

/** `good` is what the decoder accepts; it is mutated by flips, cuts, copies and large varints. */
export function expectTotal(good: Uint8Array, decode: (bytes: Uint8Array) => unknown): void {
  const random = seededRandom(randomSeed("totality"));
  for (let round = 0; round < ROUNDS; round++) {
    // Not `slice`, which gives a view where `good` is a Buffer.
    const bytes =
      good.length === 0 || round % 8 === 0 ? random.bytes(random.int(64)) : new Uint8Array(good);
    for (let changes = random.int(4); changes > 0 && bytes.length > 0; changes--) {
      const at = random.int(bytes.length);
      const choice = random.int(4);
      if (choice === 0) bytes[at] ^= 1 << random.int(8);
      else if (choice === 1) bytes[at] = random.int(256);
      else if (choice === 2) bytes.fill(0xff, at, at + 1 + random.int(6));
      else bytes.copyWithin(at, random.int(bytes.length), random.int(bytes.length));
    }
    const cut = random.int(3) === 0 ? bytes.subarray(0, random.int(bytes.length + 1)) : bytes;
    try {
      decode(cut);
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (error instanceof PagefoldError && (code === "DAMAGED" || code === "FORMAT")) continue;
      const hex = Buffer.from(cut).toString("hex");
      throw new Error(`round ${round}: not total on ${hex}`, { cause: error });
    }
  }
}
