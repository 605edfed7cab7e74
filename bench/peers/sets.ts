// The sets of images that peers are compared on: the gang as it is given, one image without the
// others, which leaves few duplicates, and noise, which leaves nothing to gain.
import { statSync } from "node:fs";
import { join } from "node:path";
import { writeNoise } from "../corpus.ts";
import { runToEnd } from "../process.ts";
import { type ImageSet, shell } from "./tool.ts";

/** An image alone is its own joined file; of several one is made in `folder`. */
async function joinImages(
  name: string,
  images: readonly string[],
  folder: string,
): Promise<ImageSet> {
  const byteLength = images.reduce((sum, path) => sum + statSync(path).size, 0);
  if (images.length === 1) return { name, images, joined: images[0], byteLength };
  const joined = join(folder, "joined");
  await runToEnd(shell('out=$1; shift; cat "$@" > "$out"', [joined, ...images]));
  return { name, images, joined, byteLength };
}

/** The images together: what pagefold is for. */
export function gangSet(images: readonly string[], folder: string): Promise<ImageSet> {
  return joinImages("all images together", images, folder);
}

/** What suits it worst. */
export async function worstSets(
  images: readonly string[],
  folder: string,
  noiseBytes: number,
): Promise<ImageSet[]> {
  const noise = join(folder, "noise.raw");
  writeNoise(noise, noiseBytes);
  const alone = images.length > 1 ? [await joinImages("one image alone", [images[0]], folder)] : [];
  return [...alone, await joinImages("noise", [noise], folder)];
}
