// A process that captures the guest of a monitor and never gets any further, to be killed:
// node … capturer.ts QMP snapshot|shared. It says "here" when the guest is in its hands.
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

const [path, kind] = process.argv.slice(2);
const capture = await GuestCapture.open(await openQmp(path), { kind: kind as CaptureKind });
const justBefore = (): Promise<void> => {
  console.log("here");
  return new Promise(() => undefined);
};
await capture.epoch(new StuckSink(), kind === "shared" ? { justBefore } : {});
