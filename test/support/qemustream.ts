// Migration streams as QEMU writes them, made up from a seed: blocks, rounds of pages, zero pages
// and XBZRLE, commands, devices and their description; pre-copy and post-copy.
import { ByteWriter } from "../../src/core/bytes.ts";
import type { SeededRandom } from "./random.ts";

const text = new TextEncoder();

/** A record of RAM as it should be found. */
export interface MadeRecord {
  readonly kind: "page" | "zero" | "xbzrle";
  readonly frame: number;
  /** Content of a page. */
  readonly content?: Uint8Array;
}

export interface MadeStream {
  readonly bytes: Uint8Array;
  readonly blocks: { name: string; byteLength: number; firstFrame: number }[];
  readonly records: MadeRecord[];
  /** What stops the folder, and the byte in front of which it does. */
  readonly events: { event: string; at: number }[];
}

export interface StreamShape {
  isPostcopy?: boolean;
  /** Turns of the loop that sends what is dirty. Default: 3. */
  rounds?: number;
  /** Records of each round at most. Default: 60. */
  recordsPerRound?: number;
  /** Whether a description follows the devices. Default: true. */
  hasDescription?: boolean;
  hasReturnPath?: boolean;
  /** Whether XBZRLE is on. Default: true. */
  hasPatches?: boolean;
  /** Write the fields of x-ignore-shared and of huge pages behind each block. */
  hasAddresses?: boolean;
  hasPageSizes?: boolean;
  capabilities?: string[];
}

/** Writes streams part by part; tests of refusals use it directly. */
export class StreamMaker {
  readonly out = new ByteWriter(1 << 16);
  readonly records: MadeRecord[] = [];
  readonly events: { event: string; at: number }[] = [];
  blocks: { name: string; byteLength: number; firstFrame: number }[] = [];
  private last: string | undefined;

  u8(value: number): this {
    this.out.u8(value);
    return this;
  }

  be16(value: number): this {
    return this.u8(value >>> 8).u8(value & 0xff);
  }

  be32(value: number): this {
    return this.be16(value >>> 16).be16(value & 0xffff);
  }

  be64(value: number): this {
    return this.be32(Math.floor(value / 2 ** 32)).be32(value % 2 ** 32);
  }

  raw(bytes: Uint8Array): this {
    this.out.raw(bytes);
    return this;
  }

  /** u8 length, text. */
  name(value: string): this {
    const bytes = text.encode(value);
    return this.u8(bytes.length).raw(bytes);
  }

  event(event: string): this {
    this.events.push({ event, at: this.out.length });
    return this;
  }

  magic(): this {
    return this.be32(0x5145564d).be32(3);
  }

  configuration(machine: string, capabilities: string[] = []): this {
    this.u8(7).be32(machine.length).raw(text.encode(machine));
    if (capabilities.length === 0) return this;
    this.u8(5).name("configuration/capabilities").be32(1).be32(capabilities.length);
    for (const capability of capabilities) this.name(capability);
    return this;
  }

  command(number: number, content: Uint8Array = new Uint8Array(0)): this {
    return this.u8(8).be16(number).be16(content.length).raw(content);
  }

  openReturnPath(): this {
    return this.command(1)
      .event("returnPath")
      .command(2, new Uint8Array([0, 0, 0, 1]));
  }

  startSection(name: string, id = 2, version = 4): this {
    return this.u8(1).be32(id).name(name).be32(0).be32(version);
  }

  footer(id = 2): this {
    return this.u8(0x7e).be32(id);
  }

  /** The section in which RAM lists its blocks. */
  startRam(blocks: { name: string; pages: number }[], shape: StreamShape = {}): this {
    const total = blocks.reduce((sum, { pages }) => sum + pages * 4096, 0);
    this.startSection("ram").be64(total + 4);
    let firstFrame = 0;
    for (const { name, pages } of blocks) {
      this.blocks.push({ name, byteLength: pages * 4096, firstFrame });
      firstFrame += pages;
      this.name(name).be64(pages * 4096);
      if (shape.hasPageSizes && pages % 2 === 0) this.be64(2 ** 21);
      if (shape.hasAddresses) this.be64(firstFrame * 4096);
    }
    return this.endOfPart().footer();
  }

  endOfPart(): this {
    return this.be64(0x10);
  }

  part(type: 2 | 3): this {
    return this.u8(type).be32(2);
  }

  /** A record of RAM with its name, or CONTINUE if its block is the last one. */
  record(kind: MadeRecord["kind"], block: number, page: number, content?: Uint8Array): this {
    const { name, firstFrame } = this.blocks[block];
    const flag = { page: 0x08, zero: 0x02, xbzrle: 0x40 }[kind];
    const isSame = name === this.last;
    this.be64(page * 4096 + flag + (isSame ? 0x20 : 0));
    if (!isSame) this.name(name);
    this.last = name;
    const bytes = content ?? new Uint8Array(0);
    if (kind === "zero") this.u8(0);
    else if (kind === "xbzrle") this.u8(1).be16(bytes.length).raw(bytes);
    else this.raw(bytes);
    const frame = firstFrame + page;
    this.records.push(kind === "page" ? { kind, frame, content: bytes } : { kind, frame });
    return this;
  }

  /** What a paused guest's devices look like from outside: bytes in sections with footers. */
  devices(random: SeededRandom, count: number): this {
    for (let id = 10; id < 10 + count; id++) {
      this.u8(4).be32(id).name(`device-${id}`).be32(0).be32(1);
      this.raw(random.bytes(random.int(600))).footer(id);
    }
    return this;
  }

  description(json = '{"page_size": 4096, "devices": [{"name": "timer"}]}'): this {
    return this.u8(6).be32(json.length).raw(text.encode(json));
  }

  made(): MadeStream {
    const { blocks, records, events } = this;
    return { bytes: this.out.take().slice(), blocks, records, events };
  }
}

/** Records of one part: runs and jumps, in all blocks. */
function records(
  maker: StreamMaker,
  random: SeededRandom,
  count: number,
  hasPatches: boolean,
): void {
  const contents = [random.bytes(4096), new Uint8Array(4096).fill(7), random.bytes(4096)];
  for (let left = count; left > 0; ) {
    const block = random.int(maker.blocks.length);
    const pages = maker.blocks[block].byteLength / 4096;
    const first = random.int(pages);
    const length = Math.min(1 + random.int(12), pages - first, left);
    const kind = random.int(6);
    for (let page = first; page < first + length; page++) {
      if (kind === 0 && hasPatches)
        maker.record("xbzrle", block, page, random.bytes(1 + random.int(300)));
      else if (kind < 3) maker.record("zero", block, page);
      else maker.record("page", block, page, contents[random.int(contents.length)]);
    }
    left -= length;
  }
}

/** A whole stream of a guest of some hundred pages. */
export function makeStream(random: SeededRandom, shape: StreamShape = {}): MadeStream {
  const { rounds = 3, recordsPerRound = 60 } = shape;
  const maker = new StreamMaker().magic();
  if (random.int(8) > 0) maker.configuration("pc-q35-7.2", shape.capabilities);
  if (shape.hasReturnPath !== false) maker.openReturnPath();
  if (shape.isPostcopy) maker.command(3, random.bytes(16));
  const named = ["pc.ram", "pc.bios", "/rom@etc/acpi/tables", "0000:00:02.0/vga.vram"];
  maker.startRam(
    named.slice(0, 1 + random.int(named.length)).map((name) => ({
      name,
      pages: 1 + random.int(200),
    })),
    shape,
  );
  const round = (type: 2 | 3) => {
    maker.part(type);
    records(maker, random, random.int(recordsPerRound + 1), shape.hasPatches !== false);
    maker.endOfPart().footer();
  };
  for (let i = 0; i < rounds; i++) round(2);
  if (shape.isPostcopy) {
    maker.command(6, random.bytes(60)).event("package");
    const inner = new StreamMaker().command(4).devices(random, 3).command(5).made().bytes;
    maker.command(7, new StreamMaker().be32(inner.length).made().bytes).raw(inner);
    maker.event("packageEnd").command(2, random.bytes(4));
    for (let i = 0; i < rounds; i++) round(2);
    round(3);
    return maker.u8(0).event("end").made();
  }
  if (random.int(2) === 0) maker.command(11);
  round(3);
  maker
    .event("ramEnd")
    .devices(random, 1 + random.int(5))
    .u8(0);
  if (shape.hasDescription !== false) maker.description().event("end");
  return maker.made();
}
