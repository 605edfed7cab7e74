// A process that captures the guest of a monitor and never gets any further, to be killed:
// node … capturer.ts QMP KIND PHASE. It says "here" when the guest is in its hands: in the middle
// of its memory, or when it stands still.
import { openQmp } from "../../src/qemu/qmp.ts";
import type { CaptureKind } from "../../src/replication/devicestate.ts";
import { GuestCapture } from "../../src/replication/guestcapture.ts";
import { MemorySink } from "../support/capturesink.ts";

class StuckSink extends MemorySink {
  private rooms = 0;

  override room() {
    if (this.rooms++ < 3) return super.room();
    console.log("here");
    return new Promise<never>(() => undefined);
  }
}

const [path, kind, phase] = process.argv.slice(2);
const capture = await GuestCapture.open(await openQmp(path), { kind: kind as CaptureKind });
const justBefore = (): Promise<void> => {
  console.log("here");
  return new Promise(() => undefined);
};
const isStanding = phase.includes("stands still");
await capture.epoch(
  isStanding ? new MemorySink() : new StuckSink(),
  isStanding ? { justBefore } : {},
);
