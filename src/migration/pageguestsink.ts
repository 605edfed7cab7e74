// The target's end of a guest that is no QEMU (pageguest.ts): its pages go where the caller says,
// and what the gang withholds until the commit is what lets the guest run. What that means is the
// caller's; the gang's rules for it are those of any guest.
import { PagefoldError, reasonOf } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import type { PageSink } from "../image/image.ts";
import { PageStreamReader, type PagesEvent } from "../qemu/pagestreamreader.ts";
import { encodeShut } from "../qemu/returnpath.ts";
import type { GuestReturns } from "./gangtargetapi.ts";
import type { GuestSink } from "./guestdelivery.ts";

/** Whoever takes a guest at the target: the calls come one after another. */
export interface PageGuestTarget {
  /** A guest of so many frames comes: says where they go. Rejects if it cannot be taken. */
  begin(frameCount: number): Promise<PageSink>;
  /**
   * The guest is the target's, and all of its pages are there as they were when it was paused, with
   * the state that the source gave. Resolves when it runs. Rejects if it does not and never will:
   * then it goes on at the source.
   */
  run(state: Uint8Array): Promise<void>;
  /**
   * It does not come, and what was written is of no use: the last call, if `run` was not called.
   * It may be the first one, too.
   */
  abort(reason: string): void;
}

/** For `sinkOf` of a gang's target, whose arguments are the first two. */
export function pageGuestSink(
  name: string,
  returns: GuestReturns,
  target: PageGuestTarget,
): GuestSink {
  return new ReceivedPages(name, returns, target);
}

const ZERO_PAGES = 256;
const ZEROS = new Uint8Array(ZERO_PAGES * PAGE_BYTES);

class ReceivedPages implements GuestSink {
  private readonly name: string;
  private readonly returns: GuestReturns;
  private readonly target: PageGuestTarget;
  private readonly reader: PageStreamReader;
  private readonly given = new AbortController();
  private sink: PageSink | undefined;
  private isComplete = false;
  private writing: Promise<void> | undefined;

  constructor(name: string, returns: GuestReturns, target: PageGuestTarget) {
    this.name = name;
    this.returns = returns;
    this.target = target;
    this.reader = new PageStreamReader(name);
  }

  async write(bytes: Uint8Array): Promise<void> {
    const writing = this.takeAll(bytes);
    this.writing = writing;
    await writing;
    this.writing = undefined;
  }

  end(): void {
    // Only a source that commits to less than all comes here.
    if (!this.isComplete) this.abort(`${this.name}: its stream has ended before it was complete`);
  }

  abort(reason: string): void {
    this.given.abort(new PagefoldError("CONNECTION", reason));
    void Promise.resolve(this.writing).then(() => this.target.abort(reason));
  }

  /** Never rejects: what fails here ends the guest, with a reason of ours. */
  private async takeAll(bytes: Uint8Array): Promise<void> {
    const { signal } = this.given;
    try {
      for (const event of this.reader.take(bytes)) {
        if (signal.aborted) return;
        await this.takeEvent(event, signal);
      }
    } catch (error) {
      if (signal.aborted) return;
      const reason = reasonOf(error);
      this.returns.abort(error instanceof PagefoldError ? reason : `${this.name}: ${reason}`);
    }
  }

  private async takeEvent(event: PagesEvent, signal: AbortSignal): Promise<void> {
    if (event.kind === "head") this.sink = await this.target.begin(event.frameCount);
    else if (event.kind === "pages") await this.sink?.write(event.frame, event.pages, signal);
    else if (event.kind === "zeros") await this.zero(event.frame, event.count, signal);
    else await this.run(event.state);
  }

  private async zero(from: number, count: number, signal: AbortSignal): Promise<void> {
    const { sink } = this;
    if (sink?.zero) return sink.zero(from, count, signal);
    for (let frame = from, left = count; left > 0; frame += ZERO_PAGES, left -= ZERO_PAGES) {
      const pages = ZEROS.subarray(0, Math.min(left, ZERO_PAGES) * PAGE_BYTES);
      await sink?.write(frame, pages, signal);
    }
  }

  /** Says to the source whether the guest runs, in the words of QEMU. */
  private async run(state: Uint8Array): Promise<void> {
    this.isComplete = true;
    const answer = await this.target.run(state).then(
      () => 0,
      () => 1,
    );
    await this.returns.returned(encodeShut(answer));
    this.returns.returnEnded();
  }
}
