// Frames whose pages lost their worth, against a slow model.
import { expect, it } from "vitest";
import { SentFrames } from "../../src/qemu/sentframes.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

it("sentframes: forgets what was sent and not sent again, once", () => {
  const random = seededRandom(randomSeed("qemu/sentframes"));
  const frames = [0, 1, 31, 32, 32_767, 32_768, 2 ** 31, 2 ** 32 - 2, 2 ** 32 - 1];
  const sent = new SentFrames();
  const model = new Set<number>();
  const gone = new Set<number>();
  for (let round = 0; round < 5000; round++) {
    const frame = frames[random.int(frames.length)];
    if (random.int(2) === 0) {
      sent.send(frame);
      model.add(frame);
      gone.delete(frame);
    } else {
      sent.forget(frame);
      if (model.delete(frame)) gone.add(frame);
    }
    if (random.int(10) > 0) continue;
    expect(sent.takeForgotten().sort()).toEqual([...gone].sort());
    gone.clear();
  }
});
