// Zstandard frames with a few bytes changed, cut, moved or put behind one another. Heads are hit
// more often than the rest, since there the lengths and tables stand.
import type { SeededRandom } from "./random.ts";

const HEAD_BYTES = 40;

export function hostileZstd(sound: readonly Uint8Array[], random: SeededRandom): Uint8Array {
  let frame = Uint8Array.from(sound[random.int(sound.length)]);
  if (random.int(10) === 0) {
    frame = Buffer.concat([frame, sound[random.int(sound.length)]]);
  }
  for (let changes = random.int(4); changes > 0 && frame.length > 0; changes--) {
    const reach = random.int(2) === 0 ? Math.min(frame.length, HEAD_BYTES) : frame.length;
    const at = random.int(reach);
    const choice = random.int(6);
    if (choice < 2) frame[at] ^= 1 << random.int(8);
    else if (choice === 2) frame[at] = random.int(256);
    else if (choice === 3) frame[at] = [0, 0xff, 0x80, 1][random.int(4)];
    else if (choice === 4) frame = frame.subarray(0, frame.length - random.int(6));
    else frame.copyWithin(at, random.int(frame.length), random.int(frame.length));
  }
  return frame;
}
