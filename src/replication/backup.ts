// The backup of a primary: takes its epochs from a connection into a store, and says when each is
// durable. A connection that breaks leaves the last committed epoch as it is.
import { PagefoldError } from "../core/errors.ts";
import { type LinkTimes, SessionLink } from "../migration/link.ts";
import type { Connection } from "../transport/connection.ts";
import { type Checksum, loadChecksum } from "../wire/checksum.ts";
import {
  decodePart,
  decodePrimary,
  decodeSeal,
  EpochPart,
  encodeBackup,
  encodeStored,
} from "../wire/epochheads.ts";
import { frameName, type SessionFrame, SessionType } from "../wire/sessionframe.ts";
import { EpochDecoder } from "./epochdecoder.ts";
import { IncomingEpoch } from "./incomingepoch.ts";
import type { ReplicaStore } from "./store.ts";
import { type GuestIdentity, parseIdentity } from "./storeidentity.ts";

const NO_CHECKSUM = new Uint8Array(16);

export interface BackupOptions {
  /** Opens the store for the guest that comes; what it throws is told to the primary. */
  readonly open: (identity: GuestIdentity) => Promise<ReplicaStore>;
  readonly times?: LinkTimes | undefined;
  /** The kernels, for bundlers. */
  readonly wasm?: Uint8Array | URL | undefined;
  /** Told of every epoch that is durable. */
  readonly onEpoch?: ((epoch: StoredEpoch) => void) | undefined;
}

export interface StoredEpoch {
  readonly epoch: number;
  readonly isFull: boolean;
  readonly pageCount: number;
  /** Over the link. */
  readonly wireBytes: number;
}

export class CheckpointBackup {
  private readonly options: BackupOptions;

  constructor(options: BackupOptions) {
    this.options = options;
  }

  /**
   * Serves one primary until it is gone, and rejects with the reason: CONNECTION, DAMAGED (what it
   * sent), or what the store says. What was committed stays, and another primary may be served.
   */
  async serve(connection: Connection): Promise<never> {
    const link = new SessionLink(connection, await loadChecksum(), this.options.times);
    let store: ReplicaStore | undefined;
    try {
      store = await this.greet(link);
      const intake = new EpochIntake(link, store, await loadChecksum(), this.options);
      try {
        for (;;) await intake.take(await link.next());
      } finally {
        await intake.abandon();
      }
    } catch (error) {
      link.refuse(error as Error);
      throw error;
    } finally {
      await store?.close();
    }
  }

  /** Learns whose primary it is, and says what is there of that guest. */
  private async greet(link: SessionLink): Promise<ReplicaStore> {
    const first = await link.next();
    if (first?.type !== SessionType.PRIMARY) {
      throw new PagefoldError("CONNECTION", `${link.peer}: is not the primary of a guest`);
    }
    const store = await this.options.open(identityIn(first, link.peer));
    const epoch = store.last?.epoch ?? 0;
    const checksum = store.last?.checksum ?? NO_CHECKSUM;
    try {
      await link.send(SessionType.BACKUP, 0, encodeBackup({ epoch, checksum }));
      return store;
    } catch (error) {
      await store.close();
      throw error;
    }
  }
}

/** What arrives of epochs, one after another. */
class EpochIntake {
  private readonly link: SessionLink;
  private readonly store: ReplicaStore;
  private readonly hash: Checksum;
  private readonly options: BackupOptions;
  private readonly decoder: EpochDecoder;
  private incoming: IncomingEpoch | undefined;
  private receivedBytes = 0;

  constructor(link: SessionLink, store: ReplicaStore, hash: Checksum, options: BackupOptions) {
    this.link = link;
    this.store = store;
    this.hash = hash;
    this.options = options;
    this.decoder = new EpochDecoder(options.wasm);
    this.receivedBytes = link.receivedBytes;
  }

  async take(frame: SessionFrame | undefined): Promise<void> {
    if (frame?.type === SessionType.EPOCH) await this.part(frame);
    else if (frame?.type === SessionType.SEAL) await this.seal(frame);
    else {
      const reason = frame ? `${frameName(frame)} has no place here` : "it ended the session";
      throw new PagefoldError("CONNECTION", `${this.link.peer}: ${reason}`);
    }
  }

  async abandon(): Promise<void> {
    await this.incoming?.abandon();
    this.incoming = undefined;
  }

  private async part(frame: SessionFrame): Promise<void> {
    const { epoch, part, isFull, contentBytes, bodyHash } = decodePart(frame);
    const name = `session: ${frameName(frame)}`;
    if (this.hash(frame.body) !== bodyHash) {
      throw new PagefoldError("DAMAGED", `${name}: wrong checksum of its body`);
    }
    const incoming = await this.epoch(epoch, isFull);
    const encoded = { contentBytes, body: frame.body };
    if (part === EpochPart.MEMORY) await incoming.memory(encoded, name);
    else await incoming.devices(encoded, name);
  }

  private async seal(frame: SessionFrame): Promise<void> {
    const head = decodeSeal(frame);
    const { epoch, isFull } = head;
    const incoming = await this.epoch(epoch, isFull);
    this.incoming = undefined;
    await incoming.commit(head);
    await this.link.send(SessionType.STORED, 0, encodeStored(epoch));
    const { receivedBytes } = this.link;
    const wireBytes = receivedBytes - this.receivedBytes;
    this.receivedBytes = receivedBytes;
    this.options.onEpoch?.({ epoch, isFull, pageCount: incoming.pageCount, wireBytes });
  }

  private async epoch(epoch: number, isFull: boolean): Promise<IncomingEpoch> {
    this.incoming ??= await IncomingEpoch.begin(this.store, epoch, isFull, this.decoder);
    const { epoch: begun, isFull: wasFull } = this.incoming;
    if (begun !== epoch || wasFull !== isFull) {
      const reason = `a part of epoch ${epoch} while epoch ${begun} is not complete`;
      throw new PagefoldError("CONNECTION", `${this.link.peer}: ${reason}`);
    }
    return this.incoming;
  }
}

function identityIn(frame: SessionFrame, peer: string): GuestIdentity {
  const text = decodePrimary(frame);
  try {
    return parseIdentity(JSON.parse(text), `${peer}: the guest`);
  } catch (error) {
    if (error instanceof PagefoldError) throw error;
    throw new PagefoldError("CONNECTION", `${peer}: its guest is described by no JSON`);
  }
}
