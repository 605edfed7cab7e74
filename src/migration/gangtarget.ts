// The target of a gang migration: an array of slots that the source fills, names and drops, and the
// guests whose streams are put together from them. Batches enter the slots in session order, before
// and independently of their delivery, so a hypervisor that stalls holds up no other guest. It
// decides nothing, and a broken source can only end its own session.
import { PagefoldError, reasonOf } from "../core/errors.ts";
import type { EngineResources } from "../pipeline/resources.ts";
import { BatchUnfolder } from "../pipeline/unfold.ts";
import { startChecksum } from "../wire/checksum.ts";
import { frameName, type SessionFrame, SessionType } from "../wire/sessionframe.ts";
import {
  decodeHello,
  decodeMark,
  decodeReason,
  decodeSessionBatch,
  encodeReason,
  type Hello,
  type SessionBatch,
} from "../wire/sessionheads.ts";
import type { GangTargetOptions } from "./gangtargetapi.ts";
import { GuestTarget } from "./guesttarget.ts";
import { SessionLink } from "./link.ts";
import { OutputRoom } from "./outputroom.ts";
import { RackTarget } from "./racktarget.ts";
import { answerHello } from "./targethello.ts";
import type { GuestAnswers } from "./targethost.ts";

/** The most clusters that are kept, as a part of what is free. */
const SLOT_SHARE = 0.9;

/**
 * Serves one session to its end. Rejects with CONNECTION when it was lost or was none, FORMAT and
 * DAMAGED for what the source should not have sent.
 */
export async function serveGang(
  resources: EngineResources,
  options: GangTargetOptions,
): Promise<void> {
  const { connection, times } = options;
  const link = new SessionLink(connection, resources.checksum, times);
  let unfolder: BatchUnfolder | undefined;
  let target: GangTarget | undefined;
  let rack: RackTarget | undefined;
  try {
    const first = await link.next();
    if (first?.type !== SessionType.HELLO) throw lost(link, "it does not begin with HELLO");
    const hello = decodeHello(first);
    const hasNames = hello.rack !== undefined;
    const found = hello.rack && (await options.rack?.(hello.rack));
    const tell = (type: SessionType, head: Uint8Array): void =>
      void link.send(type, 0, head).catch(() => undefined);
    rack = found && new RackTarget(resources, found, tell);
    const free = Math.floor(BatchUnfolder.slotBytesWithin(resources) * SLOT_SHARE);
    const slotBytes = Math.min(hello.slotBytes, free);
    unfolder = new BatchUnfolder(resources, slotBytes, hasNames);
    rack?.attach(unfolder);
    if (rack) options.onRack?.(rack.counts);
    const creditBytes = await answerHello(link, options, hello, slotBytes, found?.name ?? "");
    target = new GangTarget(link, options, unfolder, { ...hello, creditBytes }, rack);
    await target.follow();
    link.end();
    await link.closed;
  } catch (error) {
    link.refuse(error as Error);
    await Promise.all([link.closed, target?.handedOver()]);
    throw error;
  } finally {
    await rack?.close();
    await unfolder?.close();
  }
}

class GangTarget {
  private readonly rack: RackTarget | undefined;
  private readonly link: SessionLink;
  private readonly options: GangTargetOptions;
  private readonly unfolder: BatchUnfolder;
  private readonly hello: Hello;
  private readonly guests = new Map<number, GuestTarget>();
  private readonly room = new OutputRoom();
  private readonly open = new Set<GuestTarget>();
  private failure: PagefoldError | undefined;

  constructor(
    link: SessionLink,
    options: GangTargetOptions,
    unfolder: BatchUnfolder,
    hello: Hello,
    rack: RackTarget | undefined,
  ) {
    this.link = link;
    this.options = options;
    this.unfolder = unfolder;
    this.hello = hello;
    this.rack = rack;
  }

  async follow(): Promise<void> {
    let hasSaidGoodbye = false;
    try {
      for (let frame = await this.link.next(); frame; frame = await this.link.next()) {
        if (frame.type === SessionType.BYE) {
          if (frame.head.length > 0) throw lost(this.link, decodeReason(frame));
          await this.settle();
          hasSaidGoodbye = true;
          break;
        }
        if (this.failure) break;
        await this.take(frame);
      }
      if (this.failure) throw this.failure;
      const isAbrupt = !hasSaidGoodbye || this.open.size > 0;
      if (isAbrupt) throw lost(this.link, "it ended before its guests were complete");
    } catch (error) {
      this.fail(error);
      throw this.failure;
    }
  }

  async handedOver(): Promise<void> {
    await Promise.all(Array.from(this.guests.values(), (guest) => guest.handedOver()));
  }

  /** Nothing more comes: what has come may still be on its way to the hypervisors. */
  private async settle(): Promise<void> {
    this.link.expectEnd();
    const settled = [...this.open].filter(({ isLeft }) => isLeft).map((guest) => guest.settle());
    await Promise.race([Promise.all(settled), this.link.closed]);
  }

  private async take(frame: SessionFrame): Promise<void> {
    const { type } = frame;
    if (type === SessionType.SHARE && this.rack) return this.rack.share(frame);
    if (type === SessionType.BATCH) return this.batch(frame, decodeSessionBatch(frame));
    const guest = this.guests.get(frame.guest);
    if (!guest || guest.isLeft) {
      if (type === SessionType.ABORT) return this.decline(frame);
      throw lost(this.link, `${frameName(frame)} without a stream`);
    }
    switch (type) {
      case SessionType.PREPARE:
        return guest.prepare(decodeMark(frame));
      case SessionType.COMMIT:
        return guest.commit();
      case SessionType.END:
        return guest.end(decodeMark(frame));
      case SessionType.ABORT:
        return guest.aborted(decodeReason(frame));
      default:
        throw lost(this.link, `${frameName(frame)} is not for us`);
    }
  }

  /** The source has given up a guest of which nothing came: its hypervisor need not know. */
  private decline(frame: SessionFrame): void {
    const reason = decodeReason(frame);
    this.options.onGuestOver(this.nameOf(frame.guest), reason);
    const answer = encodeReason(reason);
    this.link.send(SessionType.ABORT, frame.guest, answer).catch(() => undefined);
  }

  /** Into the slots it goes, whatever has become of the guest: others may name its content. */
  private async batch(frame: SessionFrame, batch: SessionBatch): Promise<void> {
    if (batch.answers) return this.takeAnswer(batch, batch.answers, frame.body);
    const known = this.guests.get(frame.guest);
    const guest = known && !known.isLeft ? known : await this.begin(frame.guest);
    guest.wireBytes += frame.head.length + frame.body.length;
    const { pages, names } = batch;
    if (names && !this.rack) throw lost(this.link, `${frameName(frame)} has names`);
    const taken = pages && (await this.unfolder.take(pages, frame.body));
    this.unfolder.drop(batch.firstKept);
    const absent = names && pages && this.rack?.number(guest, pages.runs);
    guest.batch(batch, taken?.unfolded, absent);
    if (absent && names) this.rack?.find(absent, names);
  }

  /** The content of names: of no guest's stream. */
  private async takeAnswer(
    batch: SessionBatch,
    names: readonly number[],
    body: Uint8Array,
  ): Promise<void> {
    const { rack } = this;
    if (!rack || !batch.pages) throw lost(this.link, "it answers names that nobody has asked for");
    const { unfolded } = await this.unfolder.take(batch.pages, body);
    this.unfolder.drop(batch.firstKept);
    unfolded.then((pages) => rack.answer(names, pages)).catch((error) => this.fail(error));
  }

  private async begin(number: number): Promise<GuestTarget> {
    const name = this.nameOf(number);
    const { creditBytes } = this.hello;
    const checksum = await startChecksum();
    if (this.failure) throw this.failure;
    const answers: GuestAnswers = {
      send: (type, guest, head) => this.link.send(type, guest, head).catch(() => undefined),
      urge: (names) => this.rack?.pages.urge(names),
      cancel: (names) => this.rack?.cancel(names),
      fail: (error) => this.fail(error),
      over: (guest, reason) => {
        this.open.delete(guest);
        this.rack?.forget(guest);
        this.options.onGuestOver(guest.name, reason);
      },
    };
    const hasNames = this.hello.rack !== undefined;
    const setup = { name, number, checksum, creditBytes, hasNames, room: this.room };
    const guest: GuestTarget = new GuestTarget(answers, setup);
    this.guests.set(number, guest);
    this.open.add(guest);
    guest.connect(this.options.sinkOf(name, guest));
    return guest;
  }

  private nameOf(number: number): string {
    const name = this.hello.guests[number];
    if (name === undefined) throw lost(this.link, `there is no guest ${number}`);
    return name;
  }

  private fail(error: unknown): void {
    if (this.failure) return;
    const isOurs = error instanceof PagefoldError;
    this.failure = isOurs ? error : new PagefoldError("CONNECTION", reasonOf(error));
    this.link.refuse(this.failure);
    for (const guest of this.open) guest.lose(this.failure.message);
  }
}

function lost(link: SessionLink, reason: string): PagefoldError {
  return new PagefoldError("CONNECTION", `${link.peer}: ${reason}`);
}
