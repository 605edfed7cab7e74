// Follows a migration stream from part to part, records of RAM and the end excepted. A generator:
// it says what it needs next and is given it, so that the stream may be cut anywhere.
import type { RamBlocks } from "./blocks.ts";
import type { StreamPlace } from "./place.ts";
import { readBlockList } from "./ramlist.ts";
import {
  Command,
  MULTIFD_MAGIC,
  Part,
  RAM_VERSION,
  STREAM_MAGIC,
  STREAM_VERSION,
} from "./stream.ts";
import { need, read32, type Steps, type StreamPhase } from "./wants.ts";

export interface SectionRules {
  readonly place: StreamPlace;
  readonly blocks: RamBlocks;
  /** Whether memory without an open return path is refused. */
  readonly isReturnPathRequired: boolean;
  /** Whether memory without an end part is refused: what is put off has no place in it. */
  readonly isEndRequired: boolean;
}

const text = new TextDecoder();
/** Machine names and capability lists of real QEMUs are far shorter. */
const MAX_MACHINE_BYTES = 1024;
const MAX_CAPABILITIES = 256;

export class Sections {
  phase: StreamPhase = "head";
  isPostcopyAdvised = false;
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
    if (command === Command.POSTCOPY_ADVISE) this.isPostcopyAdvised = true;
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
    yield* readBlockList(this.place, this.rules.blocks);
    yield* this.footer();
  }

  private *part(type: number): Steps<void> {
    const id = read32(yield need(4), 0);
    if (id !== this.ramId) this.place.fail(`part ${type} of section ${id}, which did not start`);
    yield { kind: "ram", isLast: type === Part.END };
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
    if (this.rules.isEndRequired) this.place.refuseCapability("background-snapshot");
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
