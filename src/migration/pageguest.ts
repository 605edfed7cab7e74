// A guest of a gang that is no QEMU: somebody's pages, whose rounds become a stream that the gang
// folds, withholds and hands over like any other. It decides nothing about rounds (precopy.ts, or
// whoever calls), and what the pages and the state mean is the caller's.
import { orAbort } from "../core/abort.ts";
import { PagefoldError, reasonOf } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import type { PageSource } from "../image/image.ts";
import { encodePagesHead, encodePagesTail, MAX_STATE_BYTES, PagePart } from "../qemu/pagestream.ts";
import { RateLimit } from "../transport/rate.ts";
import { type Clock, MACHINE_CLOCK } from "./adaptiverate.ts";
import type { GangSource } from "./gangsource.ts";
import type { GuestListener } from "./guesthost.ts";
import type { GuestSource } from "./guestsource.ts";
import type { GuestView } from "./guestview.ts";
import type { GuestOutcome } from "./outcome.ts";
import { NotHandedOver, type RoundLimits, type RoundSink } from "./precopyapi.ts";

export interface PageGuestOptions {
  /**
   * What the target needs to run the guest besides its pages, up to 16 MiB: asked for once, when
   * the guest is paused and its last round is over. Default: nothing.
   */
  state?: (() => Promise<Uint8Array>) | undefined;
  /** For the rate of a round. Default: the clock of the machine. */
  clock?: Clock | undefined;
}

/**
 * A guest on its way through a gang, for `precopy`, or for a migrator with rounds of its own: calls
 * `round` one after another, then `prepare`, then `commit`, and whenever it goes no further
 * `abort`. Other guests of the gang may be sent at the same time.
 */
export interface PageGuest extends RoundSink {
  /** What it has sent, for whoever shows it. */
  readonly view: GuestView;
  /** How it has ended; never rejects. */
  readonly ended: Promise<GuestOutcome>;
  prepare(signal?: AbortSignal): Promise<void>;
  abort(reason: string): void;
}

/**
 * Begins guest `number` of a gang, whose pages will be those that are given to `round`. USAGE if it
 * is migrating already, CONNECTION if the session is over.
 */
export async function openPageGuest(
  gang: GangSource,
  number: number,
  options: PageGuestOptions = {},
): Promise<PageGuest> {
  const life = new GuestLife();
  const guest = await gang.guest(number, life);
  life.endStream = () => guest.end();
  return new SentPages(guest, life, options);
}

/** How far a guest has come, by what its gang says. */
class GuestLife implements GuestListener {
  /** Resolves when both sides have the same. */
  readonly prepared: Promise<void>;
  readonly over: Promise<GuestOutcome>;
  endStream: () => void = () => undefined;
  private readonly end = new AbortController();
  private readonly released: Promise<void>;
  private isReleased = false;
  private havePrepared: () => void = () => undefined;
  private haveReleased: () => void = () => undefined;
  private haveEnded: (outcome: GuestOutcome) => void = () => undefined;

  constructor() {
    this.prepared = new Promise((resolve) => {
      this.havePrepared = resolve;
    });
    this.released = new Promise((resolve) => {
      this.haveReleased = resolve;
    });
    this.over = new Promise((resolve) => {
      this.haveEnded = resolve;
    });
  }

  /** Aborted with the reason when it is over, or when `signal` is. */
  until(signal: AbortSignal | undefined): AbortSignal {
    return signal ? AbortSignal.any([signal, this.end.signal]) : this.end.signal;
  }

  /** Lets the target have it. */
  release(): void {
    this.isReleased = true;
    this.haveReleased();
  }

  returned(): void {}

  /** Whoever takes the guest has answered: nothing more is to be sent. */
  returnEnded(): void {
    if (this.isReleased) this.endStream();
  }

  commit(): Promise<void> {
    this.havePrepared();
    return this.released;
  }

  ended(outcome: GuestOutcome): void {
    this.haveEnded(outcome);
    const isFailure = outcome.kind !== "migrated";
    const reason = isFailure ? outcome.reason : `${outcome.name}: it has been migrated`;
    this.end.abort(new PagefoldError("CONNECTION", reason));
  }
}

class SentPages implements PageGuest {
  private readonly guest: GuestSource;
  private readonly life: GuestLife;
  private readonly options: PageGuestOptions;
  private readonly part = new PagePart();
  private step: "begin" | "rounds" | "tail" = "begin";

  constructor(guest: GuestSource, life: GuestLife, options: PageGuestOptions) {
    this.guest = guest;
    this.life = life;
    this.options = options;
  }

  get view(): GuestView {
    return this.guest;
  }

  get ended(): Promise<GuestOutcome> {
    return this.life.over;
  }

  async round(
    pages: PageSource,
    dirty: Uint8Array | undefined,
    { bytesPerSecond = Number.POSITIVE_INFINITY, signal }: RoundLimits,
  ): Promise<number> {
    const { clock = MACHINE_CLOCK } = this.options;
    const until = this.life.until(signal);
    const rate = new RateLimit(bytesPerSecond, { now: () => clock.now() });
    const before = this.guest.wireBytes;
    let counted = before;
    const pace = async (): Promise<void> => {
      // What is folded meanwhile counts with the parts that follow.
      const waitMs = rate.take(this.guest.wireBytes - counted);
      counted = this.guest.wireBytes;
      if (waitMs > 0) await clock.sleep(waitMs, until);
    };
    if (this.step === "tail") throw new Error("a round behind the last");
    if (this.step === "begin") await this.begin(pages.frameCount, until);
    for (let frame = 0; frame < pages.frameCount; ) {
      frame = await this.fillPart(pages, frame, dirty, until);
      if (this.part.pageCount === 0) break;
      await this.write(this.part.take(), until);
      await pace();
    }
    // A round that is only under way would make the link look faster than it is.
    await orAbort(this.guest.taken(), until);
    await pace();
    return this.guest.wireBytes - before;
  }

  async prepare(signal?: AbortSignal): Promise<void> {
    if (this.step !== "rounds") throw new Error("prepared twice, or before the first round");
    const until = this.life.until(signal);
    const state = (await this.options.state?.()) ?? new Uint8Array(0);
    if (state.length > MAX_STATE_BYTES) {
      const reason = `a state of ${state.length} bytes, at most ${MAX_STATE_BYTES} are possible`;
      throw new PagefoldError("LIMIT", `${this.guest.name}: ${reason}`);
    }
    this.step = "tail";
    await this.write(encodePagesTail(state), until);
    await orAbort(this.life.prepared, until);
  }

  async commit(): Promise<void> {
    this.life.release();
    const outcome = await this.life.over;
    if (outcome.kind === "failed") throw new NotHandedOver(outcome.reason);
    if (outcome.kind === "doubt") throw new PagefoldError("DOUBT", outcome.reason);
  }

  abort(reason: string): void {
    this.guest.abort(`${this.guest.name}: ${reason}`);
  }

  private async begin(frameCount: number, until: AbortSignal): Promise<void> {
    if (frameCount === 0) throw new PagefoldError("USAGE", `${this.guest.name}: it has no pages`);
    this.step = "rounds";
    await this.write(encodePagesHead(frameCount), until);
  }

  /** Fills a part with what is due from `from` on; returns how far it came. */
  private async fillPart(
    pages: PageSource,
    from: number,
    dirty: Uint8Array | undefined,
    until: AbortSignal,
  ): Promise<number> {
    const isDue = (frame: number): boolean =>
      !dirty || (dirty[frame >>> 3] & (1 << (frame & 7))) !== 0;
    for (let frame = from, end = from; frame < pages.frameCount; frame = end) {
      until.throwIfAborted();
      const room = this.part.room();
      const limit = Math.min(frame + room.length / PAGE_BYTES, pages.frameCount);
      // Bits are looked at just before their frames are read: they may be cleared until then.
      for (end = frame; end < limit && isDue(end); ) end++;
      const count = end - frame;
      if (count > 0) {
        await pages.read(frame, count, room.subarray(0, count * PAGE_BYTES), until);
        this.part.add(frame, count);
      } else if (room.length === 0) return frame;
      else end = frame + 1;
    }
    return pages.frameCount;
  }

  /** Resolves when more may be written. */
  private async write(bytes: Uint8Array, until: AbortSignal): Promise<void> {
    until.throwIfAborted();
    const room = this.guest.write(bytes);
    try {
      if (room) await orAbort(room, until);
    } catch (error) {
      // Bytes are still on their way: no others may follow them.
      this.abort(`broken off: ${reasonOf(error)}`);
      throw error;
    }
  }
}
