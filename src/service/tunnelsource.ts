// The source of a tunnel: QEMUs of this host migrate to unix sockets that we listen on, and the
// gang they make goes through one session to the target.
import { PagefoldError, reasonOf } from "../core/errors.ts";
import type { GangNumbers } from "../migration/gangsource.ts";
import { GangSource } from "../migration/gangsource.ts";
import type { LevelParameters } from "../pipeline/level.ts";
import type { EngineResources } from "../pipeline/resources.ts";
import { parseAddress, refuseUnprotected } from "../transport/address.ts";
import { connect } from "../transport/connect.ts";
import type { Listener } from "../transport/listen.ts";
import { listen } from "../transport/listen.ts";
import { RateLimit } from "../transport/rate.ts";
import { loadTlsIdentity, type TlsIdentity } from "../transport/tlsfiles.ts";
import { GuestGate } from "./guestgate.ts";
import { GuestWatch } from "./guestwatch.ts";
import { checkRack, SourceRack } from "./racks.ts";
import type { TunnelGuest, TunnelReport, TunnelSourceOptions } from "./tunnelapi.ts";
import { checkGuests, ProgressTicker } from "./tunnelparts.ts";

/** Levels from weak to strong, and the one to begin with. */
export interface TunnelLevels {
  readonly levels: readonly LevelParameters[];
  readonly firstLevel: number;
}

/** Runs until every guest has an outcome, or for ever. Rejects when the target is not there. */
export async function runTunnelSource(
  resources: EngineResources,
  options: TunnelSourceOptions,
  levels: TunnelLevels,
): Promise<TunnelReport> {
  const address = parseAddress(options.address);
  const { tlsDirectory, insecure = false } = options;
  checkGuests(options.guests);
  refuseUnprotected("--connect", address, { tls: tlsDirectory !== undefined, insecure });
  checkRack("--rack-index", options.rackIndex, options);
  const tls =
    tlsDirectory === undefined ? undefined : await loadTlsIdentity(tlsDirectory, "client");
  const tunnel = new TunnelSource(resources, options, levels, tls);
  try {
    await tunnel.listen();
    return await tunnel.serve();
  } finally {
    await tunnel.close();
  }
}

class TunnelSource {
  private readonly resources: EngineResources;
  private readonly options: TunnelSourceOptions;
  private readonly levels: TunnelLevels;
  private readonly tls: TlsIdentity | undefined;
  private readonly watches: readonly GuestWatch[];
  private readonly gates = new Map<string, GuestGate>();
  private readonly listeners: Listener[] = [];
  private readonly rack: SourceRack | undefined;
  private readonly closing = new AbortController();
  private readonly signal: AbortSignal;
  private readonly beganAt = performance.now();
  private gang: GangSource | undefined;
  private changed: () => void = () => undefined;
  private failure: unknown;

  constructor(
    resources: EngineResources,
    options: TunnelSourceOptions,
    levels: TunnelLevels,
    tls: TlsIdentity | undefined,
  ) {
    this.resources = resources;
    this.options = options;
    this.levels = levels;
    this.tls = tls;
    this.watches = options.guests.map(({ name }) => new GuestWatch(name));
    const { rackIndex, rackKey } = options;
    this.rack = rackIndex === undefined ? undefined : new SourceRack(rackIndex, rackKey, options);
    const { signal } = this.closing;
    this.signal = options.signal ? AbortSignal.any([signal, options.signal]) : signal;
  }

  async listen(): Promise<void> {
    const { guests, socketMode, socketGroup } = this.options;
    const access = {
      ...(socketMode === undefined ? {} : { socketMode }),
      ...(socketGroup === undefined ? {} : { socketGroup }),
    };
    // Who cannot reach the target should know before a guest has come.
    await this.openGang();
    for (const { path } of guests) {
      this.listeners.push(await listen({ kind: "unix", path }, access));
    }
    this.options.onListening?.(guests.map(({ path }) => `unix:${path}`));
  }

  async serve(): Promise<TunnelReport> {
    const ticker = new ProgressTicker(this.options.onProgress, () => this.progress);
    for (const [i, guest] of this.options.guests.entries()) {
      this.accept(guest, i).catch((error) => this.fail(error));
    }
    try {
      while (!this.isDone) {
        await new Promise<void>((resolve) => {
          this.changed = resolve;
          this.signal.addEventListener("abort", () => resolve(), { once: true });
        });
        if (this.failure !== undefined) throw this.failure;
        this.signal.throwIfAborted();
      }
    } finally {
      ticker.stop();
    }
    return this.report;
  }

  async close(): Promise<void> {
    this.closing.abort(new PagefoldError("CONNECTION", "the tunnel was closed"));
    for (const gate of this.gates.values()) gate.abort("the tunnel at the source was closed");
    await Promise.all(this.listeners.map((listener) => listener.close()));
    await this.gang?.close();
    await this.rack?.close();
  }

  /** Takes the migrations of one guest, one after another. */
  private async accept({ name, path }: TunnelGuest, index: number): Promise<void> {
    for (;;) {
      const connection = await this.listeners[index].accept(this.signal);
      const running = this.gates.get(name);
      if (running) {
        running.refuse(connection);
        continue;
      }
      const watch = this.watches[index];
      const lastWords =
        `pagefold: ${name}: the tunnel to ${this.options.address} died after it had handed the ` +
        `guest over: it is not known whether it runs there. It stays paused here. Look there; ` +
        `end this process only if it does not run`;
      const gate = await GuestGate.open(connection, {
        name,
        lastWords,
        begin: async (listener) => (await this.openGang()).guest(index, listener),
        onBegin: (guest) => watch.begin(guest),
        onEnd: (outcome) => {
          watch.end(outcome);
          this.gates.delete(name);
          if (outcome.kind !== "migrated") this.options.onNotice?.(outcome.reason);
          this.changed();
        },
      }).catch((error) => {
        this.options.onNotice?.(`${path}: ${reasonOf(error)}`);
        watch.end({ kind: "failed", name, reason: reasonOf(error) });
        this.changed();
      });
      if (gate && !watch.outcome) this.gates.set(name, gate);
    }
  }

  /** The session with the target; a new one if the last was lost. */
  private async openGang(): Promise<GangSource> {
    if (this.gang && !this.gang.isLost) return this.gang;
    await this.gang?.close();
    const { rate, scope, guests, address } = this.options;
    const { tls, signal } = this;
    const connection = await connect(parseAddress(address), { signal, ...(tls ? { tls } : {}) });
    this.gang = await GangSource.open(this.resources, {
      connection,
      guests: guests.map(({ name }) => name),
      scope,
      rack: this.rack,
      ...this.levels,
      rate: rate === undefined ? undefined : new RateLimit(rate),
    });
    return this.gang;
  }

  private get isDone(): boolean {
    return !this.options.persistent && this.watches.every(({ outcome }) => outcome !== undefined);
  }

  private fail(error: unknown): void {
    if (this.signal.aborted) return;
    this.failure ??= error;
    this.changed();
  }

  private get numbers(): GangNumbers | undefined {
    return this.gang?.numbers;
  }

  private get progress() {
    const { streamBytes = 0, wireBytes = 0 } = this.numbers ?? {};
    const elapsedMs = performance.now() - this.beganAt;
    const guests = this.watches.map((watch) => watch.progress);
    return { guests, streamBytes, wireBytes, elapsedMs };
  }

  private get report(): TunnelReport {
    const { streamBytes = 0, wireBytes = 0, counts, rack } = this.numbers ?? {};
    const elapsedMs = performance.now() - this.beganAt;
    return {
      guests: this.watches.map(({ report }) => report),
      counts,
      rack,
      streamBytes,
      wireBytes,
      elapsedMs,
    };
  }
}
