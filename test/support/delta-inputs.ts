// Pages with their reference pages, seeded: pieces that a delta should find, and the pages of which
// delta.json keeps the deltas. It calls no kernel.
import { PAGE_BYTES } from "../../src/core/page.ts";
import { painted } from "./pages.ts";
import { type SeededRandom, seededRandom } from "./random.ts";

export interface DeltaInput {
  name: string;
  references: Uint8Array[];
  page: Uint8Array;
}

/** A page made of pieces of the references, of zeros and of new bytes. */
export function patchwork(
  random: SeededRandom,
  references: Uint8Array[],
  maxPiece: number,
): Uint8Array {
  const page = new Uint8Array(PAGE_BYTES);
  for (let at = 0; at < PAGE_BYTES; ) {
    const length = Math.min(1 + random.int(maxPiece), PAGE_BYTES - at);
    const reference = references[random.int(references.length)] ?? page;
    const source = random.int(3) === 0 ? at : random.int(PAGE_BYTES - length + 1);
    const choice = random.int(8);
    if (choice === 0) page.set(random.bytes(length), at);
    else if (choice > 1) page.set(reference.subarray(source, source + length), at);
    at += length;
  }
  return page;
}

/** The inputs of the golden vectors. */
export function deltaVectorInputs(): DeltaInput[] {
  const random = seededRandom(20);
  const three = [random.bytes(PAGE_BYTES), painted(PAGE_BYTES), random.bytes(PAGE_BYTES)];
  const edited = painted(PAGE_BYTES);
  edited.fill(0, 0, 9);
  edited.fill(0xff, 1000, 1003);
  edited.fill(1, 4090);
  const [first, second] = three as [Uint8Array, Uint8Array];
  const shifted = Uint8Array.from([...first.subarray(13), ...first.subarray(0, 13)]);
  return [
    { name: "the same", references: [first], page: first },
    { name: "the third reference", references: three, page: three[2] ?? first },
    { name: "three edits in place", references: [second], page: edited },
    { name: "rotated by 13", references: [first], page: shifted },
    {
      name: "patchwork of one, large pieces",
      references: [first],
      page: patchwork(random, [first], 900),
    },
    { name: "patchwork of three", references: three, page: patchwork(random, three, 300) },
    {
      name: "patchwork of three, small pieces",
      references: three,
      page: patchwork(random, three, 40),
    },
    { name: "zeros from bytes", references: [first], page: new Uint8Array(PAGE_BYTES) },
  ];
}
