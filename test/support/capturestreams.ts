// Streams as QEMU writes them for captures: a background snapshot, whose memory has no end part,
// and the devices of a guest whose RAM is shared. With the memory that they carry.
import { StreamMaker } from "./qemustream.ts";
import type { SeededRandom } from "./random.ts";

const PAGE_BYTES = 4096;
export const BLOCKS = [
  { name: "pc.ram", pages: 300 },
  { name: "pc.bios", pages: 5 },
  { name: "/rom@etc/acpi/tables", pages: 1 },
];

export interface MadeCapture {
  readonly stream: Uint8Array;
  /** Of all blocks; what the stream does not carry is zero. */
  readonly memory: Uint8Array;
}

/** How a guest stands, as a section of its own. */
export function globalState(maker: StreamMaker, word: string): StreamMaker {
  const bytes = new Uint8Array(100);
  new TextEncoder().encodeInto(word, bytes);
  maker.u8(4).be32(5).name("globalstate").be32(0).be32(1);
  return maker
    .be32(word.length + 1)
    .raw(bytes)
    .footer(5);
}

/** `shared` names the blocks that do not lie in the stream. */
export function captureStream(
  random: SeededRandom,
  shared: readonly string[] = [],
  word = "running",
): MadeCapture {
  const frameCount = BLOCKS.reduce((sum, { pages }) => sum + pages, 0);
  const memory = new Uint8Array(frameCount * PAGE_BYTES);
  const isShared = shared.length > 0;
  const maker = new StreamMaker().magic();
  maker.configuration("pc-q35-7.2", isShared ? ["x-ignore-shared"] : []);
  maker.startRam(BLOCKS, { hasAddresses: isShared });
  const frames = BLOCKS.flatMap(({ name, pages }, block) =>
    shared.includes(name) ? [] : Array.from({ length: pages }, (_, page) => ({ block, page })),
  );
  shuffleSome(random, frames);
  while (frames.length > 0) {
    maker.part(2);
    // Parts may be empty.
    for (const { block, page } of frames.splice(0, random.int(80))) {
      record(maker, random, memory, block, page);
    }
    maker.endOfPart().footer();
  }
  if (isShared) maker.part(3).endOfPart().footer();
  maker.devices(random, 3);
  globalState(maker, word).devices(random, 2).u8(0).description();
  return { stream: maker.made().bytes.slice(), memory };
}

/** Pages that the guest writes to are sent out of turn. */
function shuffleSome<T>(random: SeededRandom, list: T[]): void {
  for (let i = 0; i < 40; i++) {
    const [one, other] = [random.int(list.length), random.int(list.length)];
    [list[one], list[other]] = [list[other], list[one]];
  }
}

function record(
  maker: StreamMaker,
  random: SeededRandom,
  memory: Uint8Array,
  block: number,
  page: number,
): void {
  if (random.int(3) === 0) {
    maker.record("zero", block, page);
    return;
  }
  const content = random.bytes(PAGE_BYTES);
  const frame = maker.blocks[block].firstFrame + page;
  memory.set(content, frame * PAGE_BYTES);
  maker.record("page", block, page, content);
}
