// Streams of guests that share content, as a gang has them: a memory that is sent, written to while
// it is sent, and sent again. The unit tests of a gang use them; nothing of the session is known.

import { type MadeStream, StreamMaker } from "./qemustream.ts";
import type { SeededRandom } from "./random.ts";

const PAGE_BYTES = 4096;

export interface GuestShape {
  /** Pages of the memory, and of what is dirtied for each round after the first. */
  readonly pages: number;
  readonly dirtied?: number;
  readonly rounds?: number;
  readonly isPostcopy?: boolean;
  /** Some machine types end without one. */
  readonly hasDescription?: boolean;
  /** XBZRLE records among what is sent again. */
  readonly hasXbzrle?: boolean;
}

/** Pages from which the guests of a gang take parts of their memory. */
export function sharedPages(random: SeededRandom, count: number): Uint8Array[] {
  return Array.from({ length: count }, () => {
    const page = random.bytes(PAGE_BYTES);
    if (random.int(2) === 0) page.fill(0x20, random.int(3000), 4000);
    return page;
  });
}

/** The stream of one guest. */
export function guestStream(
  random: SeededRandom,
  shared: readonly Uint8Array[],
  shape: GuestShape,
): MadeStream {
  const { pages, dirtied = pages >> 3, rounds = 3, isPostcopy = false } = shape;
  const memory = Array.from({ length: pages }, () => anyPage(random, shared));
  const maker = new StreamMaker().magic().configuration("pc-q35-7.2").openReturnPath();
  if (isPostcopy) maker.command(3, random.bytes(16));
  maker.startRam([
    { name: "pc.ram", pages },
    { name: "pc.bios", pages: 4 },
  ]);
  const part = (type: 2 | 3, frames: Iterable<number>, mayXbzrle: boolean): void => {
    maker.part(type);
    for (const frame of frames) record(maker, random, memory[frame], frame, mayXbzrle);
    maker.endOfPart().footer();
  };
  part(2, memory.keys(), false);
  maker.part(2).record("page", 1, 2, random.bytes(PAGE_BYTES)).endOfPart().footer();
  for (let round = 1; round < rounds; round++) {
    part(2, dirty(random, shared, memory, dirtied), shape.hasXbzrle ?? true);
  }
  if (!isPostcopy) {
    part(3, dirty(random, shared, memory, dirtied >> 2), false);
    maker.event("ramEnd").devices(random, 6).u8(0);
    if (shape.hasDescription !== false) maker.description();
    return maker.event("end").made();
  }
  maker.command(6, random.bytes(60)).event("package");
  const inner = new StreamMaker().command(4).devices(random, 3).command(5).made().bytes;
  maker.command(7, new StreamMaker().be32(inner.length).made().bytes).raw(inner);
  maker.event("packageEnd").command(2, random.bytes(4));
  for (let round = 0; round < 2; round++) part(2, dirty(random, shared, memory, dirtied), false);
  part(3, [], false);
  return maker.u8(0).event("end").made();
}

/** Where an event of a stream stands. */
export function eventAt({ events }: MadeStream, name: string): number {
  const found = events.find(({ event }) => event === name);
  if (!found) throw new Error(`no event ${name}`);
  return found.at;
}

function anyPage(random: SeededRandom, shared: readonly Uint8Array[]): Uint8Array {
  const choice = random.int(8);
  if (choice === 0) return new Uint8Array(PAGE_BYTES);
  if (choice === 1) return random.bytes(PAGE_BYTES);
  if (choice === 2) return new Uint8Array(PAGE_BYTES).fill(random.int(256));
  const page = shared[random.int(shared.length)];
  return choice === 3 ? changed(random, page) : page;
}

function changed(random: SeededRandom, page: Uint8Array): Uint8Array {
  const copy = page.slice();
  for (let n = 1 + random.int(3); n > 0; n--) copy.set(random.bytes(64), random.int(64) * 64);
  return copy;
}

/** Writes to `count` frames or fewer and names them in rising order. */
function dirty(
  random: SeededRandom,
  shared: readonly Uint8Array[],
  memory: Uint8Array[],
  count: number,
): number[] {
  const frames = new Set(Array.from({ length: count }, () => random.int(memory.length)));
  for (const frame of frames) {
    const isNew = random.int(4) === 0;
    memory[frame] = isNew ? anyPage(random, shared) : changed(random, memory[frame]);
  }
  return [...frames].sort((a, b) => a - b);
}

function record(
  maker: StreamMaker,
  random: SeededRandom,
  page: Uint8Array,
  frame: number,
  mayXbzrle: boolean,
): void {
  const isZero = page[0] === 0 && page.every((byte) => byte === 0);
  if (isZero) maker.record("zero", 0, frame);
  else if (mayXbzrle && random.int(4) === 0) {
    maker.record("xbzrle", 0, frame, random.bytes(1 + random.int(200)));
  } else maker.record("page", 0, frame, page);
}
