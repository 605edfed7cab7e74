// The target of a tunnel: waits for a source, and gives each guest of its gang to the QEMU that
// waits for it at a unix socket.
import { PagefoldError, reasonOf } from "../core/errors.ts";
import { serveGang } from "../migration/gangtarget.ts";
import type { GuestReturns, RackCounts } from "../migration/gangtargetapi.ts";
import type { GuestSink } from "../migration/guestdelivery.ts";
import type { EngineResources } from "../pipeline/resources.ts";
import type { PageStore } from "../store/store.ts";
import { parseAddress, refuseUnprotected } from "../transport/address.ts";
import { connect } from "../transport/connect.ts";
import type { Connection } from "../transport/connection.ts";
import { type Listener, listen } from "../transport/listen.ts";
import { loadTlsIdentity } from "../transport/tlsfiles.ts";
import type { SocketAccess } from "../transport/unixlisten.ts";
import { GuestWatch } from "./guestwatch.ts";
import { checkRack, TargetRack } from "./racks.ts";
import type { TunnelGuest, TunnelOptions, TunnelReport } from "./tunnelapi.ts";
import { checkGuests, ProgressTicker } from "./tunnelparts.ts";

export interface TunnelTargetOptions extends TunnelOptions {
  /** Of a unix socket to listen on, like 0o660; default 0o600. */
  readonly socketMode?: number | undefined;
  readonly socketGroup?: string | undefined;
  /** What hosts of this rack share, like `rackIndex` of a source: a Redis server, or a store. */
  readonly rackStore?: string | PageStore | undefined;
}

/** Serves one session, or one after another for ever. Rejects when the session was lost. */
export async function runTunnelTarget(
  resources: EngineResources,
  options: TunnelTargetOptions,
): Promise<TunnelReport> {
  const address = parseAddress(options.address);
  const { tlsDirectory, insecure = false, persistent = false, onNotice } = options;
  checkGuests(options.guests);
  refuseUnprotected("--listen", address, { tls: tlsDirectory !== undefined, insecure });
  checkRack("--rack-store", options.rackStore, options);
  const tls =
    tlsDirectory === undefined ? undefined : await loadTlsIdentity(tlsDirectory, "server");
  const { socketMode, socketGroup } = options;
  const access: SocketAccess = {
    ...(socketMode === undefined ? {} : { socketMode }),
    ...(socketGroup === undefined ? {} : { socketGroup }),
  };
  const listener = await listen(address, {
    ...access,
    ...(tls ? { tls } : {}),
    onRefused: (reason) => onNotice?.(reason.message),
  });
  try {
    options.onListening?.([options.address]);
    for (;;) {
      const connection = await listener.accept(options.signal);
      const session = new TunnelTarget(resources, options);
      const turnAway = session.turnAway(listener);
      try {
        const report = await session.serve(connection);
        if (!persistent) return report;
      } catch (error) {
        if (!persistent || options.signal?.aborted) throw error;
        onNotice?.(reasonOf(error));
      } finally {
        turnAway.abort();
      }
    }
  } finally {
    await listener.close();
  }
}

/** One session. */
class TunnelTarget {
  private readonly resources: EngineResources;
  private readonly options: TunnelTargetOptions;
  private readonly rack: TargetRack | undefined;
  private rackCounts: (() => RackCounts) | undefined;
  private readonly watches = new Map<string, GuestWatch>();
  private readonly beganAt = performance.now();
  private connection: Connection | undefined;

  constructor(resources: EngineResources, options: TunnelTargetOptions) {
    this.resources = resources;
    this.options = options;
    const { rackStore } = options;
    this.rack = rackStore === undefined ? undefined : new TargetRack(rackStore, options);
    for (const { name } of options.guests) this.watches.set(name, new GuestWatch(name));
  }

  /** While it goes on, others are told that there is one. */
  turnAway(listener: Listener): AbortController {
    const { onNotice } = this.options;
    const controller = new AbortController();
    const run = async (): Promise<void> => {
      for (;;) {
        const other = await listener.accept(controller.signal);
        onNotice?.(`${other.peer}: turned away, a session is going on`);
        other.destroy();
      }
    };
    run().catch(() => undefined);
    return controller;
  }

  async serve(connection: Connection): Promise<TunnelReport> {
    const { signal, scope, onProgress } = this.options;
    this.connection = connection;
    const ticker = new ProgressTicker(onProgress, () => this.progress);
    const onAbort = (): void => connection.destroy(signal?.reason);
    signal?.addEventListener("abort", onAbort);
    try {
      await serveGang(this.resources, {
        connection,
        scope,
        expects: (name) => this.watches.has(name),
        sinkOf: (name, guest) => this.sinkOf(name, guest),
        onGuestOver: (name, reason) => this.guestOver(name, reason),
        rack: async (secret) => this.rack?.find(secret),
        onRack: (counts) => {
          this.rackCounts = counts;
        },
      });
      return this.report;
    } finally {
      signal?.removeEventListener("abort", onAbort);
      ticker.stop();
      await this.rack?.close();
    }
  }

  private async sinkOf(name: string, guest: GuestReturns): Promise<GuestSink> {
    const { path } = this.options.guests.find((other) => other.name === name) as TunnelGuest;
    this.watches.get(name)?.begin(guest);
    const { signal } = this.options;
    const connection = await connect({ kind: "unix", path }, signal ? { signal } : {});
    connection.receive({
      bytes: (piece) => {
        connection.pause();
        void guest.returned(piece.slice()).then(() => connection.resume());
      },
      end: () => guest.returnEnded(),
    });
    void connection.closed.then(() => guest.returnEnded());
    return {
      write: (bytes) => connection.write([bytes]),
      end: () => connection.end(),
      abort: (reason) => connection.destroy(new PagefoldError("CONNECTION", reason)),
    };
  }

  private guestOver(name: string, reason: string | undefined): void {
    const watch = this.watches.get(name);
    if (reason === undefined) {
      watch?.end({ kind: "migrated", name, streamBytes: watch.progress.streamBytes });
    } else {
      watch?.end({ kind: "failed", name, reason });
      this.options.onNotice?.(reason);
    }
  }

  private get numbers() {
    let streamBytes = 0;
    for (const { progress } of this.watches.values()) streamBytes += progress.streamBytes;
    const wireBytes = this.connection?.receivedBytes ?? 0;
    return { streamBytes, wireBytes, elapsedMs: performance.now() - this.beganAt };
  }

  private get progress() {
    const guests = [...this.watches.values()].map((watch) => watch.progress);
    return { guests, ...this.numbers };
  }

  private get report(): TunnelReport {
    const guests = [...this.watches.values()].map((watch) => watch.report);
    return { guests, counts: undefined, rack: this.rackCounts?.(), ...this.numbers };
  }
}
