// One connection from a primary to its backup: says which guest comes, sends epochs one after
// another, and hears when each is durable.
import { PagefoldError } from "../core/errors.ts";
import { type LinkTimes, SessionLink } from "../migration/link.ts";
import type { Connection } from "../transport/connection.ts";
import { type Checksum, loadChecksum } from "../wire/checksum.ts";
import {
  type DurableEpoch,
  decodeBackup,
  decodeStored,
  EpochPart,
  encodePart,
  encodePrimary,
  encodeSeal,
  type SealHead,
} from "../wire/epochheads.ts";
import { type SessionFrame, SessionType } from "../wire/sessionframe.ts";
import { decodeReason } from "../wire/sessionheads.ts";
import type { EncodedPart } from "./memorypart.ts";
import type { GuestIdentity } from "./storeidentity.ts";

/** What waits for the link before the next part is made. */
const MAX_QUEUE_BYTES = 8 << 20;

/** What an epoch is on the wire. */
export interface OutgoingEpoch extends SealHead {
  readonly memory: Iterable<EncodedPart>;
  readonly devices: Iterable<EncodedPart>;
}

export class PrimarySession {
  /** What the backup had when the session began. */
  readonly durable: DurableEpoch;
  private readonly link: SessionLink;
  private readonly hash: Checksum;
  private readonly waiting = new Map<number, () => void>();
  private failure: unknown;
  private fail: (error: unknown) => void = () => undefined;
  /** Rejects when the session is over. */
  readonly over: Promise<never>;

  /** Rejects with CONNECTION when the backup is none, or wants another guest. */
  static async open(
    connection: Connection,
    identity: GuestIdentity,
    times?: LinkTimes,
  ): Promise<PrimarySession> {
    const hash = await loadChecksum();
    const link = new SessionLink(connection, hash, times);
    try {
      void link.send(SessionType.PRIMARY, 0, encodePrimary(JSON.stringify(identity)));
      const answer = await link.next();
      if (answer?.type !== SessionType.BACKUP) throw unexpected(link, answer);
      return new PrimarySession(link, hash, decodeBackup(answer));
    } catch (error) {
      link.destroy(error as Error);
      throw error;
    }
  }

  private constructor(link: SessionLink, hash: Checksum, durable: DurableEpoch) {
    this.link = link;
    this.hash = hash;
    this.durable = durable;
    this.over = new Promise((_, reject) => {
      this.fail = (error) => {
        this.failure ??= error;
        reject(this.failure);
      };
    });
    this.over.catch(() => undefined);
    void this.listen();
  }

  get sentBytes(): number {
    return this.link.sentBytes;
  }

  /**
   * Sends an epoch; resolves when its parts have been made. `stored` resolves when it is
   * durable at the backup. Both reject with CONNECTION when the session is lost: then nobody knows.
   */
  async send(epoch: OutgoingEpoch): Promise<{ stored: Promise<void> }> {
    if (this.failure) throw this.failure;
    const { memory, devices, isFull, epoch: number } = epoch;
    const acknowledged = new Promise<void>((resolve) => this.waiting.set(number, resolve));
    const stored = Promise.race([acknowledged, this.over]);
    stored.catch(() => undefined);
    for (const part of memory) await this.sendPart(number, EpochPart.MEMORY, isFull, part);
    for (const part of devices) await this.sendPart(number, EpochPart.DEVICES, isFull, part);
    void this.post(SessionType.SEAL, encodeSeal(epoch));
    return { stored };
  }

  close(reason: Error): void {
    this.fail(reason);
    this.link.destroy(reason);
  }

  /** Waits for the link when much of what was sent before is still under way. */
  private async sendPart(
    epoch: number,
    part: EpochPart,
    isFull: boolean,
    { contentBytes, body }: EncodedPart,
  ): Promise<void> {
    const bodyHash = this.hash(body);
    const head = encodePart({ epoch, part, isFull, contentBytes, bodyHash });
    const sent = this.post(SessionType.EPOCH, head, body);
    if (this.link.queuedBytes > MAX_QUEUE_BYTES) await Promise.race([sent, this.over]);
    if (this.failure) throw this.failure;
  }

  /** What became of it is heard by `listen`. */
  private post(type: SessionType, head: Uint8Array, body?: Uint8Array): Promise<void> {
    return this.link.send(type, 0, head, body).catch(() => undefined);
  }

  private async listen(): Promise<void> {
    try {
      for (;;) {
        const frame = await this.link.next();
        if (frame?.type !== SessionType.STORED) throw unexpected(this.link, frame);
        const epoch = decodeStored(frame);
        const resolve = this.waiting.get(epoch);
        if (!resolve) throw unexpected(this.link, frame);
        this.waiting.delete(epoch);
        resolve();
      }
    } catch (error) {
      this.fail(error);
      this.link.destroy(error as Error);
    }
  }
}

function unexpected(link: SessionLink, frame: SessionFrame | undefined): PagefoldError {
  let reason = "it ended the session";
  if (frame?.type === SessionType.BYE) reason = decodeReason(frame);
  else if (frame) reason = "it said what nobody had asked for";
  return new PagefoldError("CONNECTION", `${link.peer}: ${reason}`);
}
