// Follows a migration stream from part to part, records of RAM and the end excepted. A generator:
// it says what it needs next and is given it, so that the stream may be cut anywhere.
import type { RamBlocks } from "./blocks.ts";
import type { StreamPlace } from "./place.ts";
import {
  Command,
  MULTIFD_MAGIC,
  Part,
  RAM_FLAGS,
  RAM_VERSION,
  Ram,
  STREAM_MAGIC,
  STREAM_VERSION,
} from "./stream.ts";

/** What stops `fold`, so that somebody can act on it. */
export type StreamEvent =
  /** The command to open the return path was passed. */
  | "returnPath"
  /** The last memory of a paused guest was passed; devices follow. */
  | "ramEnd"
  /** The packaged devices of post-copy follow: with them the target may run. */
  | "package"
  /** They were passed: once they are released the guest runs at the target. */
  | "packageEnd"
  /** Nothing may follow. */
  | "end";

/** What the generator asks for. It is resumed with the bytes of `need` and `more`. */
export type Want =
  /** So many bytes. */
  | { readonly kind: "need"; readonly count: number }
  /** So many bytes behind those of the last `need`, none of which are passed on yet. */
  | { readonly kind: "more"; readonly count: number }
  /** Pass so many bytes. */
  | { readonly kind: "pass"; readonly count: number }
  /** Records of RAM, up to the end of a part. */
  | { readonly kind: "ram" }
  /** Devices, up to the end. */
  | { readonly kind: "devices" }
  /** Stop, before the bytes of the last `need` are passed on if they are held. */
  | { readonly kind: "event"; readonly event: StreamEvent; readonly isHeld?: true };

/** What of its stream a guest has sent. */
export type StreamPhase = "head" | "ram" | "device" | "postcopy" | "ended";

export interface SectionRules {
  readonly place: StreamPlace;
  readonly blocks: RamBlocks;
  /** Whether memory without an open return path is refused. */
  readonly isReturnPathRequired: boolean;
}

type Steps<T> = Generator<Want, T, Uint8Array>;

const text = new TextDecoder();
/** Machine names and capability lists of real QEMUs are far shorter. */
const MAX_MACHINE_BYTES = 1024;
const MAX_CAPABILITIES = 256;
/** A block has a page size and an address at most behind its length. */
const MAX_BLOCK_FIELDS = 2;

const need = (count: number): Want => ({ kind: "need", count });

export class Sections {
  phase: StreamPhase = "head";
  private hasReturnPath = false;
  private ramId = -1;
  private readonly rules: SectionRules;
  private readonly place: StreamPlace;

  constructor(rules: SectionRules) {
    this.rules = rules;
    this.place = rules.place;
  }

  *follow(): Steps<void> {
    const magic = read32(yield need(4), 0);
    if (magic === MULTIFD_MAGIC) this.place.refuseCapability("multifd");
    if (magic !== STREAM_MAGIC) this.place.fail("it does not begin like one of QEMU");
    const version = read32(yield need(4), 0);
    if (version !== STREAM_VERSION) this.place.refuse(`migration stream version ${version}`);
    let type = (yield need(1))[0];
    if (type === Part.CONFIGURATION) type = yield* this.configuration();
    while (yield* this.next(type)) type = (yield need(1))[0];
    this.phase = "device";
    yield { kind: "devices" };
  }

  /** One part of the given type; whether more parts follow whose length is known. */
  private *next(type: number): Steps<boolean> {
    if (type === Part.COMMAND) yield* this.command();
    else if (type === Part.START) yield* this.start();
    else if (type === Part.PART) yield* this.part(type);
    else if (type === Part.END) {
      yield* this.part(type);
      if (this.phase === "postcopy") return true;
      yield { kind: "event", event: "ramEnd" };
      return false;
    } else if (type === Part.FULL) {
      yield* this.device();
      return false;
    } else if (type === Part.EOF && this.phase === "postcopy") {
      this.phase = "ended";
      yield { kind: "event", event: "end" };
      this.place.fail("bytes behind the end");
    } else this.place.fail(`a part of type ${type}`);
    return true;
  }

  /** Reads on to the type of what follows the configuration. */
  private *configuration(): Steps<number> {
    yield* this.passCounted(MAX_MACHINE_BYTES);
    for (;;) {
      const type = (yield need(1))[0];
      if (type !== Part.SUBSECTION) return type;
      const name = yield* this.string();
      yield need(4);
      if (name === "configuration/target-page-bits") {
        const bits = read32(yield need(4), 0);
        if (bits !== 12) this.place.refuse(`its pages have ${bits} bits, only 12 are supported`);
      } else if (name === "configuration/capabilities") {
        yield* this.capabilities();
      } else if (name === "configuration/uuid") {
        yield need(16);
      } else this.place.refuse(`the migration stream has an unknown ${name}`);
    }
  }

  private *capabilities(): Steps<void> {
    const count = read32(yield need(4), 0);
    if (count > MAX_CAPABILITIES) this.place.fail(`${count} capabilities`);
    for (let i = 0; i < count; i++) {
      const name = yield* this.string();
      if (name === "mapped-ram") this.place.refuseCapability(name);
    }
  }

  private *command(): Steps<void> {
    const head = yield { kind: "more", count: 4 };
    const command = head[1] * 256 + head[2];
    const length = head[3] * 256 + head[4];
    if (command === Command.ENABLE_COLO) this.place.refuseCapability("x-colo");
    if (command !== Command.PACKAGED) {
      yield { kind: "pass", count: length };
      if (command !== Command.OPEN_RETURN_PATH) return;
      this.hasReturnPath = true;
      yield { kind: "event", event: "returnPath" };
      return;
    }
    if (length !== 4) this.place.fail(`a package whose length has ${length} bytes`);
    const count = read32(yield { kind: "more", count: 4 }, 5);
    yield { kind: "event", event: "package", isHeld: true };
    this.phase = "postcopy";
    yield { kind: "pass", count };
    yield { kind: "event", event: "packageEnd" };
  }

  private *start(): Steps<void> {
    const id = read32(yield need(4), 0);
    const name = yield* this.string();
    const version = read32(yield need(8), 4);
    if (name !== "ram") this.refuseSection(name);
    if (version !== RAM_VERSION) this.place.refuse(`its section ram has version ${version}`);
    if (this.ramId >= 0) this.place.fail("a second section ram starts");
    if (this.rules.isReturnPathRequired && !this.hasReturnPath) {
      this.place.refuse("return-path is off: turn on the capability return-path");
    }
    this.ramId = id;
    this.phase = "ram";
    yield* this.blockList();
    yield* this.footer();
  }

  /** The first record of RAM: the list of blocks. */
  private *blockList(): Steps<void> {
    const { blocks } = this.rules;
    const head = yield need(8);
    if ((read32(head, 4) & RAM_FLAGS) !== Ram.MEM_SIZE) this.place.fail("RAM without its size");
    let left = read64(head) - Ram.MEM_SIZE;
    let length = (yield need(1))[0];
    while (left > 0 && length > 0) {
      const name = (yield need(length)).slice();
      const byteLength = read64(yield need(8));
      if (byteLength > left) this.place.fail(`a block of ${byteLength} bytes, ${left} are left`);
      blocks.add(name, byteLength);
      left -= byteLength;
      // Post-copy adds the page size and x-ignore-shared the address. Nothing says so, but a name
      // has a length that is not 0, and what follows the last block has flags.
      length = (yield need(1))[0];
      for (let fields = 0; length === 0; fields++) {
        const flags = read32(yield { kind: "more", count: 7 }, 4) & RAM_FLAGS;
        if (flags !== 0) return this.endOfPart(flags, left);
        if (fields === MAX_BLOCK_FIELDS) this.place.fail("a block of RAM with unknown fields");
        length = (yield need(1))[0];
      }
    }
    this.place.fail(`RAM of ${left} bytes more than its blocks`);
  }

  private endOfPart(flags: number, left: number): void {
    if (flags & Ram.MULTIFD_FLUSH) this.place.refuseCapability("multifd");
    if (flags & Ram.HOOK) this.place.refuse("it migrates by RDMA: migrate to a unix socket");
    if (flags !== Ram.EOS) this.place.fail(`flags 0x${flags.toString(16)} behind the blocks`);
    if (left > 0) this.place.fail(`${left} bytes of RAM are in no block`);
  }

  private *part(type: number): Steps<void> {
    const id = read32(yield need(4), 0);
    if (id !== this.ramId) this.place.fail(`part ${type} of section ${id}, which did not start`);
    yield { kind: "ram" };
    yield* this.footer();
  }

  private *footer(): Steps<void> {
    const type = (yield need(1))[0];
    if (type !== Part.FOOTER) {
      this.place.refuse("sections without footers: the machine type is older than QEMU 2.4");
    }
    const id = read32(yield need(4), 0);
    if (id !== this.ramId) this.place.fail(`the footer of section ${id} behind ${this.ramId}`);
  }

  /** A device without an end of RAM before it: background-snapshot keeps devices for the end. */
  private *device(): Steps<void> {
    if (this.ramId < 0) {
      yield need(4);
      const name = yield* this.string();
      this.refuseSection(name);
    }
    yield { kind: "event", event: "ramEnd", isHeld: true };
  }

  private refuseSection(name: string): never {
    if (name === "dirty-bitmap") this.place.refuseCapability("dirty-bitmaps");
    if (name === "block") this.place.refuseCapability("block");
    return this.place.refuse(`section ${name} comes before or beside the memory: not supported`);
  }

  private *string(): Steps<string> {
    const length = (yield need(1))[0];
    return length === 0 ? "" : text.decode(yield need(length));
  }

  private *passCounted(limit: number): Steps<void> {
    const count = read32(yield need(4), 0);
    if (count > limit) this.place.fail(`a name of ${count} bytes`);
    yield { kind: "pass", count };
  }
}

function read32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}

/** At most 2^53 exactly; what is more is more than any limit anyway. */
function read64(bytes: Uint8Array): number {
  return read32(bytes, 0) * 2 ** 32 + read32(bytes, 4);
}
