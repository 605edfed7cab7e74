// Takes the migration stream of a captured guest apart, as it comes: pages into the rooms of a
// sink, runs of zero pages beside them, and the rest into the device state. StreamFolder finds the
// pages; what else it saw stands in its script, which is read here and thrown away.
import { ByteWriter } from "../core/bytes.ts";
import { PagefoldError } from "../core/errors.ts";
import { type FoldTarget, StreamFolder } from "../qemu/folder.ts";
import { ScriptReader, Step } from "../qemu/script.ts";
import { Command, Part } from "../qemu/stream.ts";
import type { CaptureSink, PageRoom, ZeroRun } from "./capture.ts";
import type { GuestIdentity } from "./storeidentity.ts";
import { identityOf } from "./streamhead.ts";

/** EOS, the footer of a part of RAM, and what begins the next one: no pages, no devices. */
const BOUNDARY_BYTES = 18;
const PART_HEAD_BYTES = 5;
/** QEMU 10 says before the last part that the guest stands still now. */
const SWITCHOVER = Buffer.from([Part.COMMAND, 0, Command.SWITCHOVER_START, 0, 0]);

interface Filling extends FoldTarget {
  readonly room: PageRoom;
  script: ByteWriter;
  zeros: ZeroRun[];
}

/** A guest beside its pages; see devicestate.ts. */
export interface CapturedParts {
  readonly identity: GuestIdentity;
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
}

export class CaptureIntake {
  streamBytes = 0;
  pageCount = 0;
  private readonly guest: string;
  private readonly known: Pick<GuestIdentity, "guest" | "qemuVersion">;
  private readonly sink: CaptureSink;
  private readonly folder: StreamFolder;
  private filling: Filling | undefined;
  /** Bytes of the stream that belong to no record of RAM, since the last one. */
  private opaque = new ByteWriter(4096);
  private head: Uint8Array | undefined;
  private hasMemoryEnded = false;
  private identity: GuestIdentity | undefined;
  /** Cursor of the scripts: the first frame of the block, and the page in it. */
  private firstFrame = 0;
  private next = 0;
  private readonly namedBlocks = new Set<number>();

  /** `guest` is for messages; what is known of it does not stand in its stream. */
  constructor(
    guest: string,
    known: Pick<GuestIdentity, "guest" | "qemuVersion">,
    sink: CaptureSink,
  ) {
    this.guest = guest;
    this.known = known;
    this.sink = sink;
    this.folder = new StreamFolder(guest, { isReturnPathRequired: false });
  }

  /**
   * Takes the next bytes, valid during the call. Undefined: go on; otherwise nothing more may be
   * given before the promise resolves. Throws or rejects when the stream or the sink is broken.
   */
  write(bytes: Uint8Array): Promise<void> | undefined {
    let at = 0;
    while (at < bytes.length) {
      if (!this.filling) {
        const room = this.sink.room();
        if (room instanceof Promise) return this.writeInto(room, bytes.slice(at));
        this.use(room);
      }
      const target = this.filling as unknown as Filling;
      const taken = this.folder.fold(bytes.subarray(at), target);
      at += taken;
      this.streamBytes += taken;
      const event = this.folder.takeEvent();
      if (event === undefined && at < bytes.length) this.deliver();
      if (event === "returnPath") this.refuse("return-path");
      if (event === "package") this.refuse("postcopy-ram");
      if (event === "ramEnd") this.endMemory(target);
    }
    return undefined;
  }

  /** The stream has ended: what it was beside its pages. */
  end(): CapturedParts {
    if (this.filling) this.deliver();
    if (this.folder.phase !== "ended") {
      if (!this.folder.mayEndHere) this.fail("QEMU ended it before it was complete");
      this.folder.endHere();
    }
    const { identity, head } = this;
    if (!identity || !head) return this.fail("it has no memory");
    return { identity, head, tail: this.opaque.take() };
  }

  private async writeInto(room: Promise<PageRoom>, rest: Uint8Array): Promise<void> {
    this.use(await room);
    await this.write(rest);
  }

  private use(room: PageRoom): void {
    const { pages, frames } = room;
    const script = new ByteWriter(4096);
    this.filling = { room, pages, frames, pageCount: 0, script, streamBytes: 0, zeros: [] };
  }

  private deliver(): void {
    const filling = this.filling as Filling;
    this.filling = undefined;
    this.readScript(filling);
    const { room, pageCount, zeros } = filling;
    this.pageCount += pageCount;
    this.sink.take({ room, pageCount, zeros });
  }

  /** Devices follow: nothing of them may be taken for what lies between parts of the memory. */
  private endMemory(filling: Filling): void {
    this.readScript(filling);
    filling.script = new ByteWriter(4096);
    this.closeOpaque();
    this.hasMemoryEnded = true;
  }

  private readScript(filling: Filling): void {
    const steps = new ScriptReader(filling.script.take(), this.guest);
    while (steps.next()) {
      const { step, count } = steps;
      if (step === Step.VERBATIM) {
        const from = steps.skip(count);
        this.opaque.raw(steps.bytes.subarray(from, from + count));
        continue;
      }
      if (!this.hasMemoryEnded && this.opaque.length > 0) this.closeOpaque();
      if (step === Step.BLOCK) this.nameBlock(steps, count);
      else if (step === Step.XBZRLE) this.refuse("xbzrle");
      else if (step === Step.PAGES) this.next += count;
      else if (step === Step.ZEROS) this.zero(filling, count);
      else {
        this.next += steps.distance;
        if (step === Step.ZERO) this.zero(filling, 1);
        else if (step === Step.PAGE) this.next++;
      }
    }
  }

  private zero(filling: Filling, count: number): void {
    const frame = this.firstFrame + this.next;
    const last = filling.zeros.at(-1);
    if (last && last.frame + last.count === frame) {
      filling.zeros[filling.zeros.length - 1] = { frame: last.frame, count: last.count + count };
    } else filling.zeros.push({ frame, count });
    this.next += count;
  }

  private nameBlock(steps: ScriptReader, number: number): void {
    if (!this.namedBlocks.has(number)) {
      this.namedBlocks.add(number);
      steps.skip(steps.u8());
    }
    this.firstFrame = this.folder.blocks[number].firstFrame;
    this.next = 0;
  }

  /** A record or the end of memory follows: what came before is the head, or between parts. */
  private closeOpaque(): void {
    const bytes = withoutSwitchover(this.opaque.take());
    let end = bytes.length;
    if (this.isPartHead(bytes, end - PART_HEAD_BYTES)) end -= PART_HEAD_BYTES;
    while (end >= BOUNDARY_BYTES && this.isPartHead(bytes, end - BOUNDARY_BYTES)) {
      end -= BOUNDARY_BYTES;
    }
    if (this.head === undefined) this.begin(bytes.slice(0, end));
    // EOS and the footer of the part whose records came before.
    else if (end !== BOUNDARY_BYTES - PART_HEAD_BYTES) {
      this.fail(`${bytes.length} bytes between parts of the memory`);
    }
    this.opaque = new ByteWriter(4096);
  }

  private isPartHead(bytes: Uint8Array, at: number): boolean {
    if (bytes[at] !== Part.PART && bytes[at] !== Part.END) return false;
    // The footer that ends all of the parts names the same section.
    const footer = bytes.lastIndexOf(Part.FOOTER, at);
    return footer >= 0 && [1, 2, 3, 4].every((i) => bytes[footer + i] === bytes[at + i]);
  }

  private begin(head: Uint8Array): void {
    this.head = head;
    this.identity = identityOf(this.guest, head, this.known);
    this.sink.begin(this.identity);
  }

  private refuse(capability: string): never {
    const advice = `turn off the capability ${capability}`;
    throw new PagefoldError("FORMAT", `${this.guest}: ${capability} is on: ${advice}`);
  }

  private fail(reason: string): never {
    throw new PagefoldError("DAMAGED", `${this.guest}: migration stream: ${reason}`);
  }
}

/** What lies between parts, without what no reader needs to know. */
function withoutSwitchover(bytes: Uint8Array): Uint8Array {
  const at = BOUNDARY_BYTES - PART_HEAD_BYTES;
  if (Buffer.compare(bytes.subarray(at, at + SWITCHOVER.length), SWITCHOVER) !== 0) return bytes;
  return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + SWITCHOVER.length)]);
}
