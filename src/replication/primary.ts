// Replicates a guest to its backup: captures an epoch, sends what has changed since the one before,
// and captures the next while that is on its way. A slow backup makes epochs rarer, never a queue.
import { setTimeout as sleep } from "node:timers/promises";
import { PagefoldError, reasonOf } from "../core/errors.ts";
import type { LinkTimes } from "../migration/link.ts";
import type { Connection } from "../transport/connection.ts";
import type { DurableEpoch, EpochOutput } from "../wire/epochheads.ts";
import type { CapturedEpoch, EpochSource } from "./capture.ts";
import type { EpochChanges } from "./changes.ts";
import { EpochEncoder, type EpochEncoding } from "./epochencoder.ts";
import { OutputCommit, type OutputHold, type OutputSeal } from "./outputhold.ts";
import { PrimarySession } from "./primarysession.ts";
import { Shadow } from "./shadow.ts";

const DEFAULT_RETRY_MS = 1000;

export interface PrimaryOptions {
  readonly source: EpochSource;
  /** Makes a connection to the backup; asked again after one was lost. */
  readonly connect: (signal: AbortSignal | undefined) => Promise<Connection>;
  /** From the begin of one epoch to that of the next, at least. */
  readonly intervalMs: number;
  /** Default: "block", 64 bytes. "page": changed pages as a whole, as Remus does. */
  readonly granularity?: "block" | "page" | undefined;
  /** Holds what the guest sends until the epoch that knows of it is durable. Default: none. */
  readonly output?: OutputHold | undefined;
  /** Let output go while the backup is lost: it may be behind then. Default: false. */
  readonly unprotect?: boolean | undefined;
  /** Default: all that saves bytes; for pages, compression alone. */
  readonly encoding?: EpochEncoding | undefined;
  /** Between attempts to connect. Default: 1000. */
  readonly retryMs?: number | undefined;
  readonly times?: LinkTimes | undefined;
  /** The kernels, for bundlers. */
  readonly wasm?: Uint8Array | URL | undefined;
  /** Told of every epoch that is durable. */
  readonly onEpoch?: ((report: EpochReport) => void) | undefined;
  /** Told why the backup is not there at the moment; a connection is tried again. */
  readonly onLost?: ((reason: string) => void) | undefined;
}

/** One epoch that has become durable at the backup. */
export interface EpochReport {
  readonly epoch: number;
  /** Whether the whole memory was sent. */
  readonly isFull: boolean;
  /** Whether the world may have heard more than it knows. */
  readonly output: EpochOutput;
  /** Pages and blocks of 64 bytes that were sent. */
  readonly pageCount: number;
  readonly blockCount: number;
  /** Over the link, devices included. */
  readonly wireBytes: number;
  /** How long the guest stood still: type II downtime of the literature. */
  readonly pauseMs: number;
  /** Of the capture, the pause included. */
  readonly captureMs: number;
  /** From the stop of the guest to the acknowledgement: the commit latency. */
  readonly commitMs: number;
}

/** An epoch that is in the shadow. */
interface Captured {
  readonly epoch: CapturedEpoch;
  readonly seal: OutputSeal | undefined;
  readonly beganAt: number;
  readonly captureMs: number;
}

/** An epoch that was sent and may or may not be durable. */
interface Flight extends DurableEpoch {
  readonly changes: EpochChanges;
  readonly deviceState: Uint8Array;
}

/** What a page-grained replication does to its pages: the same compressor, and no more. */
const PAGE_ENCODING: EpochEncoding = { granularity: 4096, delta: false, sharing: false };

export class CheckpointPrimary {
  private readonly options: PrimaryOptions;
  private readonly shadow: Shadow;
  private readonly commit: OutputCommit | undefined;
  private readonly encoder: EpochEncoder;
  /** The last epoch that is known to be durable. */
  private durable: DurableEpoch = { epoch: 0, checksum: new Uint8Array(16) };
  /** Of that epoch. */
  private deviceState: Uint8Array | undefined;
  private flight: Flight | undefined;
  /** Whether the next epoch has to come as a whole. */
  private isFull = true;
  /** Not sent yet. */
  private captured: Captured | undefined;
  /** Why the guest cannot be captured: no backup helps against that. */
  private sourceFailure: unknown;

  constructor(options: PrimaryOptions) {
    this.options = options;
    this.shadow = new Shadow(options.wasm);
    const { output, unprotect = false } = options;
    if (output) this.commit = new OutputCommit(output, unprotect);
    const isByPage = options.granularity === "page";
    const encoding = options.encoding ?? (isByPage ? PAGE_ENCODING : {});
    this.encoder = new EpochEncoder(encoding, options.wasm);
  }

  /** Replicates until `signal` aborts. Rejects when the guest cannot be captured any more. */
  async run(signal?: AbortSignal): Promise<void> {
    try {
      await this.sessions(signal);
    } finally {
      const notice = await this.commit?.end().catch(() => "its monitor is lost");
      if (notice !== undefined) this.options.onLost?.(notice);
    }
  }

  /** One connection after another. */
  private async sessions(signal: AbortSignal | undefined): Promise<void> {
    const { onLost, retryMs = DEFAULT_RETRY_MS } = this.options;
    while (!signal?.aborted) {
      try {
        await this.session(signal);
      } catch (error) {
        if (signal?.aborted) return;
        if (this.sourceFailure !== undefined || !isLoss(error)) throw error;
        const notices = [reasonOf(error), await this.commit?.lost()];
        onLost?.(notices.filter((notice) => notice !== undefined).join("; "));
        await sleep(retryMs, undefined, signal ? { signal } : {}).catch(() => undefined);
      }
    }
  }

  /** One connection, as long as it lasts. */
  private async session(signal: AbortSignal | undefined): Promise<void> {
    const { connect, times } = this.options;
    const connection = await connect(signal);
    const onAbort = (): void => connection.destroy(new Error("replication was ended"));
    signal?.addEventListener("abort", onAbort, { once: true });
    let session: PrimarySession | undefined;
    try {
      // Which guest it is stands in its own stream.
      if (!this.shadow.identity) await this.capture(signal);
      const { identity } = this.shadow;
      if (!identity) throw new Error("an epoch without an identity");
      session = await PrimarySession.open(connection, identity, times);
      this.reconcile(session);
      await this.replicate(session, signal);
    } finally {
      signal?.removeEventListener("abort", onAbort);
      const reason = new PagefoldError("CONNECTION", "the session was ended");
      session?.close(reason);
      connection.destroy(reason);
    }
  }

  private async replicate(session: PrimarySession, signal: AbortSignal | undefined) {
    let stored: Promise<void> = Promise.resolve();
    for (;;) {
      // The next epoch may be captured while the last one is on its way, but not be sent.
      const captured = this.captured ?? (await this.capture(signal));
      await stored;
      ({ stored } = await this.send(session, captured));
      const restMs = this.options.intervalMs - (performance.now() - captured.beganAt);
      const rest = sleep(Math.max(0, restMs), undefined, signal ? { signal } : {});
      await Promise.race([rest, session.over]);
    }
  }

  private async capture(signal: AbortSignal | undefined): Promise<Captured> {
    const beganAt = performance.now();
    const { commit, isFull, options } = this;
    let seal: OutputSeal | undefined;
    const sealing = async (): Promise<void> => {
      seal = await commit?.seal(!isFull);
    };
    const justBefore = commit ? sealing : undefined;
    try {
      const epoch = await options.source.epoch(this.shadow, { signal, justBefore });
      if (commit && !seal) throw new Error("the source of epochs does not say when output ends");
      this.captured = { epoch, seal, beganAt, captureMs: performance.now() - beganAt };
      return this.captured;
    } catch (error) {
      throw this.failed(error);
    }
  }

  private failed(error: unknown): unknown {
    this.sourceFailure = error;
    return error;
  }

  /** The last epoch that the backup has need not be the last one that we know of. */
  private reconcile({ durable }: PrimarySession): void {
    const { flight, shadow } = this;
    this.flight = undefined;
    const isSame = (known: DurableEpoch): boolean =>
      known.epoch === durable.epoch && Buffer.compare(known.checksum, durable.checksum) === 0;
    if (flight && isSame(flight)) {
      this.isFull = false;
      this.deviceState = flight.deviceState;
    } else if (!this.isFull && isSame(this.durable)) {
      if (flight) shadow.restore(flight.changes);
    } else {
      shadow.restoreAll();
      this.isFull = true;
    }
    this.durable = durable;
  }

  /** Sends what was captured; `stored` resolves when it is durable. */
  private async send(
    session: PrimarySession,
    { epoch: captured, seal, captureMs }: Captured,
  ): Promise<{ stored: Promise<void> }> {
    const { shadow, isFull, encoder } = this;
    const { deviceState, pauseMs, stoppedMs } = captured;
    const epoch = this.durable.epoch + 1;
    const changes = shadow.takeChanges();
    const checksum = shadow.checksum();
    this.flight = { epoch, checksum, changes, deviceState };
    this.captured = undefined;
    const before = session.sentBytes;
    const timeMs = Math.round(stoppedMs);
    const output = seal?.output ?? "free";
    const memory = encoder.memory(shadow, changes);
    const devices = encoder.devices(deviceState, isFull ? undefined : this.deviceState);
    const head = { epoch, checksum, isFull, timeMs, output };
    const { stored } = await session.send({ ...head, memory, devices });
    const reported = stored.then(async () => {
      const commitMs = Date.now() - stoppedMs;
      const wireBytes = session.sentBytes - before;
      this.durable = { epoch, checksum };
      this.deviceState = deviceState;
      this.flight = undefined;
      this.isFull = false;
      if (seal)
        await this.commit?.durable(seal).catch((error) => Promise.reject(this.failed(error)));
      const what = { epoch, isFull, output, ...changes.count(), wireBytes };
      this.options.onEpoch?.({ ...what, pauseMs, captureMs, commitMs });
    });
    reported.catch(() => undefined); // whoever does not wait learns it from `over`
    return { stored: reported };
  }
}

/** Whether the backup may be back later. */
function isLoss(error: unknown): boolean {
  return error instanceof PagefoldError && error.code === "CONNECTION";
}
