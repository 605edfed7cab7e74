// The source of a gang migration: folds the streams of several guests into one ordered session, so
// that what they share crosses the link once. One connection and one total order, in which batches
// reach the target's slots before and independently of any guest: so a reference never precedes
// its content, and an older shared copy never overwrites a newer page (both are races of protocols
// with a connection for each guest). The source alone decides what the target keeps.
import { PagefoldError, reasonOf } from "../core/errors.ts";
import type { LevelParameters } from "../pipeline/level.ts";
import type { EngineResources } from "../pipeline/resources.ts";
import type { FolderOptions } from "../qemu/folder.ts";
import type { Connection } from "../transport/connection.ts";
import type { RateLimit } from "../transport/rate.ts";
import { startChecksum } from "../wire/checksum.ts";
import type { FrameCounts } from "../wire/imagehead.ts";
import { type SessionFrame, SessionType } from "../wire/sessionframe.ts";
import { decodeMark, decodeReason } from "../wire/sessionheads.ts";
import { GangFold } from "./gangfold.ts";
import type { RackCounts } from "./gangtargetapi.ts";
import type { GuestHost, GuestListener } from "./guesthost.ts";
import { GuestSource } from "./guestsource.ts";
import { type LinkTimes, SessionLink } from "./link.ts";
import type { RackSourceOptions } from "./racksource.ts";
import { type Agreement, agree } from "./sourcehello.ts";

export interface GangSourceOptions {
  readonly connection: Connection;
  /** Names of the guests, by number. */
  readonly guests: readonly string[];
  /** Who may share content; the target must be told the same. */
  readonly scope?: string | undefined;
  /** From weak to strong, and which one is first; one alone is kept. */
  readonly levels: readonly LevelParameters[];
  readonly firstLevel: number;
  readonly rate?: RateLimit | undefined;
  readonly rack?: GangRack | undefined;
  readonly times?: LinkTimes | undefined;
}

/** The hosts with which a source shares what goes to a rack. */
export interface GangRack {
  /** What the target needs to know pages by their digests; empty: the scope's name is all. */
  readonly secret: Uint8Array;
  /** Joins them for the rack of this name ("": there is none); undefined if that cannot be. */
  join(rack: string): Promise<RackSourceOptions | undefined>;
}

/** Numbers of a session so far. */
export interface GangNumbers {
  readonly streamBytes: number;
  readonly wireBytes: number;
  readonly counts: FrameCounts;
  readonly rack: RackCounts | undefined;
}

export class GangSource {
  private readonly link: SessionLink;
  private readonly options: GangSourceOptions;
  private readonly fold: GangFold;
  private readonly creditBytes: number;
  private readonly guests = new Map<number, GuestSource>();
  private readonly host: GuestHost;
  private readonly running: Promise<void>;
  private failure: PagefoldError | undefined;
  private closing: Promise<void> | undefined;
  /** Of migrations that others of the same guest have followed. */
  private pastBytes = 0;

  /** Agrees with the target on what both keep. Takes memory of the engine until `close`. */
  static async open(resources: EngineResources, options: GangSourceOptions): Promise<GangSource> {
    const link = new SessionLink(options.connection, resources.checksum, options.times);
    try {
      const agreed = await agree(link, options, resources.memory.buffer.byteLength);
      const joined = await options.rack?.join(agreed.rack);
      return new GangSource(resources, link, options, agreed, joined);
    } catch (error) {
      link.destroy(error as Error);
      throw error;
    }
  }

  private constructor(
    resources: EngineResources,
    link: SessionLink,
    options: GangSourceOptions,
    { slotBytes, creditBytes }: Agreement,
    rack: RackSourceOptions | undefined,
  ) {
    this.link = link;
    this.options = options;
    this.creditBytes = creditBytes;
    const { levels, firstLevel, rate } = options;
    const onFailure = (error: unknown): void => this.fail(error);
    const found = { link, slotBytes, levels, firstLevel, rate, rack, onFailure };
    this.fold = new GangFold(resources, found);
    this.host = {
      tryBegin: () => this.fold.tryBegin(),
      isBusy: () => this.fold.isBusy,
      room: () => this.fold.room(),
      wake: () => this.fold.wake(),
      add: (guest, batch, forgotten) => this.fold.add(guest, batch, forgotten),
      forget: (slabPtr) => this.fold.forget(slabPtr),
      afterAll: (action) => this.fold.afterAll(action),
      send: (type, guest, head) => this.send(type, guest, head),
    };
    this.running = this.follow();
    this.running.catch(() => undefined);
  }

  /**
   * Begins to send a guest; its number is its place in `guests`. One that has failed may come
   * again, when the target is done with it.
   */
  async guest(
    number: number,
    listener: GuestListener,
    options: FolderOptions = {},
  ): Promise<GuestSource> {
    const name = this.options.guests[number];
    if (name === undefined) throw new RangeError(`there is no guest ${number}`);
    const checksum = await startChecksum();
    for (let before = this.guests.get(number); before; before = this.guests.get(number)) {
      if (!before.isOver) throw new PagefoldError("USAGE", `${name} is migrating already`);
      await before.released;
      if (this.guests.get(number) !== before) continue;
      this.pastBytes += before.streamBytes;
      this.guests.delete(number);
    }
    if (this.failure) throw this.failure;
    if (this.closing) throw new PagefoldError("CONNECTION", "the session was closed");
    const marksRam = this.options.rack !== undefined;
    const setup = { name, number, checksum, creditBytes: this.creditBytes, marksRam, ...options };
    const guest = new GuestSource(this.host, listener, setup);
    this.guests.set(number, guest);
    return guest;
  }

  get numbers(): GangNumbers {
    let streamBytes = this.pastBytes;
    for (const guest of this.guests.values()) streamBytes += guest.streamBytes;
    const { counts, rack } = this.fold;
    return { streamBytes, wireBytes: this.link.sentBytes, counts, rack: rack?.counts };
  }

  /** True when no guest can be sent any more. */
  get isLost(): boolean {
    return this.failure !== undefined;
  }

  /** Resolves when the session is over; rejects with why it was lost. */
  get ended(): Promise<void> {
    return this.running;
  }

  /** Ends the session; guests that are not done are given up. */
  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  private async end(): Promise<void> {
    for (const guest of this.guests.values()) guest.abort("the source was closed");
    this.link.expectEnd();
    const sent = new Promise<void>((resolve) => this.fold.afterAll(resolve));
    const over = this.running.catch(() => undefined);
    await Promise.race([sent, over]);
    this.send(SessionType.BYE, 0);
    this.link.end();
    await over;
    for (const guest of this.guests.values()) guest.lose("the source was closed");
    await this.fold.close(this.failure ?? new Error("the session was closed"));
  }

  private send(type: SessionType, guest: number, head?: Uint8Array): void {
    this.link.send(type, guest, head).catch(() => undefined);
  }

  private async follow(): Promise<void> {
    try {
      let last = "";
      for (let frame = await this.link.next(); frame; frame = await this.link.next()) {
        if (frame.type === SessionType.BYE) {
          last = frame.head.length > 0 ? `: ${decodeReason(frame)}` : "";
          break;
        }
        this.take(frame);
      }
      if (!this.closing || last !== "") {
        throw new PagefoldError("CONNECTION", `${this.link.peer}: it has ended the session${last}`);
      }
    } catch (error) {
      this.fail(error);
      throw this.failure;
    }
  }

  private take(frame: SessionFrame): void {
    const { type } = frame;
    const isOfNames =
      type === SessionType.SHARED || type === SessionType.MISSING || type === SessionType.RESOLVED;
    if (isOfNames && this.fold.rack) {
      this.fold.rack.take(frame);
      return;
    }
    const guest = this.guests.get(frame.guest);
    if (!guest) {
      const reason = `record ${frame.sequence} is about guest ${frame.guest}, which was not begun`;
      throw new PagefoldError("CONNECTION", `${this.link.peer}: ${reason}`);
    }
    switch (frame.type) {
      case SessionType.RETURN:
        guest.returned(frame.head);
        break;
      case SessionType.END:
        guest.returnEnded();
        break;
      case SessionType.CREDIT:
        guest.credited(decodeMark(frame).streamBytes);
        this.fold.wake();
        break;
      case SessionType.PREPARED:
        guest.prepared(decodeMark(frame)).catch((error) => this.fail(error));
        break;
      case SessionType.ABORT:
        guest.lose(decodeReason(frame));
        break;
      default:
        throw new PagefoldError("CONNECTION", `${this.link.peer}: record type ${frame.type}`);
    }
  }

  private fail(error: unknown): void {
    if (this.failure) return;
    const isOurs = error instanceof PagefoldError;
    this.failure = isOurs ? error : new PagefoldError("CONNECTION", reasonOf(error));
    this.link.refuse(this.failure);
    for (const guest of this.guests.values()) guest.lose(this.failure.message);
    // What it has claimed nobody waits for any longer.
    void this.fold.rack?.close();
    this.fold.wake();
  }
}
