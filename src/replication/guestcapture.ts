// Captures a guest again and again, each time the whole memory and the devices of one moment, with
// no patch to QEMU and in one of three ways:
// - "precopy": QEMU writes its memory while the guest runs, what the guest has written to meanwhile
//   again, and stops it for the rest and the devices.
// - "snapshot": QEMU stops the guest for the devices alone and writes its memory while the guest
//   runs on, each page before the guest writes to it (capability background-snapshot).
// - "shared": the guest stands still while its RAM is copied out of the file that it shares with
//   its QEMU; the rest comes by a migration (capability x-ignore-shared).

import { PagefoldError } from "../core/errors.ts";
import type { Qmp } from "../qemu/qmp.ts";
import type { CapturedEpoch, CaptureSink } from "./capture.ts";
import { type CheckOptions, checkGuest, type GuestFacts } from "./capturecheck.ts";
import { FileCopy, sharedFilesOf } from "./capturefiles.ts";
import { type CapturedParts, CaptureIntake } from "./captureintake.ts";
import { CaptureLease, checkFree } from "./capturelease.ts";
import { HeldPages, handOut } from "./capturepages.ts";
import { CapturePort, type PortOptions } from "./captureport.ts";
import { PRECOPY_SETTINGS, precopyFault, untilStill } from "./captureprecopy.ts";
import { type CaptureKind, encodeDeviceState, type SharedBlock } from "./devicestate.ts";
import { type GuestIdentity, identityDifference } from "./storeidentity.ts";

export interface GuestCaptureOptions extends CheckOptions, PortOptions {
  /** Default: "auto", which is "precopy" where that is sound, else "snapshot". */
  kind?: CaptureKind | "auto" | undefined;
  /** For messages. Default: "the guest". */
  name?: string | undefined;
}

export interface EpochOptions {
  signal?: AbortSignal | undefined;
  /**
   * Called just before the moment that is captured, as late as can be had for nothing: for a
   * snapshot the guest runs on until QEMU stops it, otherwise it stands still already.
   */
  justBefore?: (() => Promise<void>) | undefined;
}

type Pause = Pick<CapturedEpoch, "stoppedMs" | "pauseMs">;

export class GuestCapture {
  readonly kind: CaptureKind;
  readonly facts: GuestFacts;
  /** Why "auto" was not "precopy". */
  readonly precopyFault: string | undefined;
  private readonly qmp: Qmp;
  private readonly options: GuestCaptureOptions;
  private readonly name: string;
  private readonly copies: readonly FileCopy[];
  /** Of the first epoch. */
  private identity: GuestIdentity | undefined;

  /** Rejects with USAGE and one line if the guest cannot be captured, or not in this way. */
  static async open(qmp: Qmp, options: GuestCaptureOptions = {}): Promise<GuestCapture> {
    await checkFree(qmp);
    const facts = await checkGuest(qmp, options);
    const { kind = "auto" } = options;
    const isWanted = kind === "auto" || kind === "precopy";
    const fault = isWanted ? await precopyFault(qmp, facts) : undefined;
    if (fault !== undefined && kind === "precopy") {
      const reason = `the guest cannot be captured by pre-copy: ${fault}`;
      throw new PagefoldError("USAGE", `${reason}: capture it by snapshot`);
    }
    const files = kind === "shared" ? await sharedFilesOf(qmp) : [];
    const copies: FileCopy[] = [];
    for (const file of files) copies.push(await FileCopy.open(file));
    return new GuestCapture(qmp, facts, copies, options, fault);
  }

  private constructor(
    qmp: Qmp,
    facts: GuestFacts,
    copies: readonly FileCopy[],
    options: GuestCaptureOptions,
    fault: string | undefined,
  ) {
    const { kind = "auto", name = "the guest" } = options;
    this.qmp = qmp;
    this.facts = facts;
    this.copies = copies;
    this.options = options;
    this.kind = kind !== "auto" ? kind : fault === undefined ? "precopy" : "snapshot";
    this.precopyFault = fault;
    this.name = name;
  }

  /**
   * Hands out the memory of the guest at one moment. Whatever fails, the guest runs when this
   * settles, unless its monitor is lost: `releaseGuest` lets it go on then. For a snapshot an abort
   * waits for the rest of the stream, which QEMU has to get rid of.
   */
  async epoch(sink: CaptureSink, options: EpochOptions = {}): Promise<CapturedEpoch> {
    options.signal?.throwIfAborted();
    const port = await CapturePort.open(this.options);
    try {
      if (this.kind === "precopy") return await this.precopy(port, sink, options);
      if (this.kind === "snapshot") return await this.snapshot(port, sink, options);
      return await this.copyShared(port, sink, options);
    } finally {
      await port.close();
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.copies.map((copy) => copy.close()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private async snapshot(
    port: CapturePort,
    sink: CaptureSink,
    { signal, justBefore }: EpochOptions,
  ): Promise<CapturedEpoch> {
    const lease = await CaptureLease.take(this.qmp, { capability: "background-snapshot" });
    const intake = this.newIntake(sink);
    let pause: Pause;
    try {
      await justBefore?.();
      await port.migrateToEnd(this.qmp, intake, signal);
      await lease.resume();
      pause = await lease.pause();
    } finally {
      await lease.free();
    }
    return this.epochOf(intake, intake.end(), pause, []);
  }

  private async precopy(
    port: CapturePort,
    sink: CaptureSink,
    { signal, justBefore }: EpochOptions,
  ): Promise<CapturedEpoch> {
    const lease = await CaptureLease.take(this.qmp, PRECOPY_SETTINGS);
    const intake = this.newIntake(sink);
    const over = new AbortController();
    const either = signal ? AbortSignal.any([signal, over.signal]) : over.signal;
    let pause: Pause;
    try {
      const migrated = port.migrate(this.qmp, intake, either);
      // A guest that stood still before is not stopped again.
      const still = Promise.race([migrated, untilStill(this.qmp, lease, either)]);
      const sealed = still.then(justBefore);
      sealed.catch((error) => over.abort(error));
      const [end] = await Promise.allSettled([migrated, sealed]);
      if (end.status === "rejected") throw end.reason;
      await sealed;
      await lease.resume();
      pause = await lease.pause();
    } finally {
      over.abort();
      await lease.free();
    }
    return this.epochOf(intake, intake.end(), pause, []);
  }

  private async copyShared(
    port: CapturePort,
    sink: CaptureSink,
    { signal, justBefore }: EpochOptions,
  ): Promise<CapturedEpoch> {
    const held = new HeldPages();
    const intake = this.newIntake(held);
    const lease = await CaptureLease.take(this.qmp, { capability: "x-ignore-shared" });
    let pause: Pause;
    try {
      await this.qmp.execute("stop");
      await justBefore?.();
      await Promise.all([
        port.migrateToEnd(this.qmp, intake, signal),
        ...this.copies.map((copy) => copy.take()),
      ]);
      await lease.resume();
      pause = await lease.pause();
    } finally {
      await lease.free();
    }
    // The last pages come with the end.
    const parts = intake.end();
    const { identity } = parts;
    sink.begin(identity);
    await held.handOut(sink, signal);
    const sharedBlocks = this.copies.map((copy) => sharedBlockOf(identity, copy));
    for (const [i, { firstFrame }] of sharedBlocks.entries()) {
      await handOut(sink, firstFrame, this.copies[i].content(), signal);
    }
    return this.epochOf(intake, parts, pause, sharedBlocks);
  }

  private newIntake(sink: CaptureSink): CaptureIntake {
    const begin = (identity: GuestIdentity): void => {
      this.identity ??= identity;
      const fault = identityDifference(this.identity, identity);
      if (fault) throw new PagefoldError("CHANGED", `${this.name} is another now: ${fault}`);
      sink.begin(identity);
    };
    return new CaptureIntake(this.name, this.facts, {
      begin,
      room: () => sink.room(),
      take: (batch) => sink.take(batch),
    });
  }

  private epochOf(
    { streamBytes, pageCount }: CaptureIntake,
    { identity, head, tail }: CapturedParts,
    pause: Pause,
    sharedBlocks: readonly SharedBlock[],
  ): CapturedEpoch {
    const deviceState = encodeDeviceState({ kind: this.kind, head, tail, sharedBlocks });
    return { identity, deviceState, ...pause, streamBytes, pageCount };
  }
}

function sharedBlockOf(
  { ramBlocks }: GuestIdentity,
  { file }: FileCopy,
): SharedBlock & { firstFrame: number } {
  let firstByte = 0;
  for (const [block, { name, byteLength }] of ramBlocks.entries()) {
    if (file.blockNames.includes(name) && byteLength === file.byteLength) {
      return { block, path: file.path, firstFrame: firstByte / 4096 };
    }
    firstByte += byteLength;
  }
  const [id] = file.blockNames;
  throw new PagefoldError("INPUT", `the stream lists no block ${id} of ${file.byteLength} bytes`);
}
