// Where the QEMU of a captured guest writes its stream: a unix socket of ours, for one migration.
// Once QEMU writes a snapshot, its stream is read to the end, also when nobody wants it any more:
// see capturedrain.ts.
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PagefoldError, reasonOf } from "../core/errors.ts";
import type { Qmp } from "../qemu/qmp.ts";
import type { Connection } from "../transport/connection.ts";
import { acceptedConnection } from "../transport/socketconnection.ts";
import { listenUnix, type SocketAccess } from "../transport/unixlisten.ts";
import { DrainGuard } from "./capturedrain.ts";
import { untilMigrated } from "./capturelease.ts";

/** While QEMU connects, and when it has written everything. */
const CONNECT_POLL_MS = 20;
const END_POLL_MS = 2;

export interface PortOptions extends SocketAccess {
  /**
   * Where QEMU connects. Default: in a new directory that only our user may enter, which will not
   * do for a QEMU that runs as somebody else or in a container.
   */
  socketPath?: string;
}

/** Takes pieces like `CaptureIntake`. */
export interface StreamTaker {
  write(bytes: Uint8Array): Promise<void> | undefined;
}

export class CapturePort {
  private readonly server: Server;
  private readonly path: string;
  private readonly directory: string | undefined;
  private readonly accepted: Promise<Socket>;
  private removeSocket: () => Promise<void> = async () => undefined;

  static async open({ socketPath, ...access }: PortOptions): Promise<CapturePort> {
    if (socketPath !== undefined) return CapturePort.at(socketPath, undefined, access);
    const directory = await mkdtemp(join(tmpdir(), "pagefold-capture-")).catch((error) => {
      throw new PagefoldError("OUTPUT", `a directory for a socket: ${reasonOf(error)}`);
    });
    try {
      return await CapturePort.at(join(directory, "stream"), directory, access);
    } catch (error) {
      await rm(directory, { recursive: true });
      throw error;
    }
  }

  private static async at(path: string, directory: string | undefined, access: SocketAccess) {
    const port = new CapturePort(path, directory);
    port.removeSocket = await listenUnix(port.server, path, access);
    return port;
  }

  private constructor(path: string, directory: string | undefined) {
    this.path = path;
    this.directory = directory;
    this.server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
    this.accepted = new Promise((resolve) => {
      this.server.once("connection", (first: Socket) => {
        resolve(first);
        this.server.on("connection", (further: Socket) => further.destroy());
      });
    });
  }

  /**
   * Has the guest migrate to us; resolves when QEMU says that all was written, and all was taken.
   * When that fails, or is not wanted any more, it rejects as soon as QEMU has written the rest.
   */
  async migrateToEnd(qmp: Qmp, taker: StreamTaker, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await qmp.execute("migrate", { uri: `unix:${this.path}` });
    const socket = await this.accept(qmp);
    const guard = await DrainGuard.open(socket).catch((error) => error as Error);
    const connection = acceptedConnection(socket, `unix:${this.path}`);
    try {
      const fault = guard instanceof DrainGuard ? undefined : guard;
      await received(connection, taker, { fault, signal });
    } finally {
      connection.destroy();
      if (guard instanceof DrainGuard) await guard.close();
    }
    await untilMigrated(qmp, { pollMs: END_POLL_MS });
  }

  /** The same for a QEMU that can do with a stream that breaks off: it rejects at once. */
  async migrate(qmp: Qmp, taker: StreamTaker, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await qmp.execute("migrate", { uri: `unix:${this.path}` });
    const connection = acceptedConnection(await this.accept(qmp), `unix:${this.path}`);
    try {
      await received(connection, taker, { signal, mayBreakOff: true });
    } finally {
      connection.destroy();
    }
    await untilMigrated(qmp, { pollMs: END_POLL_MS });
  }

  async close(): Promise<void> {
    this.server.close();
    await this.removeSocket();
    if (this.directory !== undefined) await rm(this.directory, { recursive: true, force: true });
  }

  /** A QEMU that cannot connect says so only when it is asked. */
  private async accept(qmp: Qmp): Promise<Socket> {
    const over = new AbortController();
    const migrated = untilMigrated(qmp, { pollMs: CONNECT_POLL_MS, signal: over.signal });
    migrated.catch(() => undefined);
    try {
      return await Promise.race([this.accepted, migrated.then(() => this.accepted)]);
    } finally {
      over.abort();
    }
  }
}

interface Reception {
  /** Why nothing is to be taken from the start. */
  readonly fault?: unknown;
  readonly signal?: AbortSignal | undefined;
  /** Whether a failure need not wait for the end of the stream. */
  readonly mayBreakOff?: boolean;
}

/** Settles when the stream has ended: resolves if everything was taken. */
function received(
  connection: Connection,
  taker: StreamTaker,
  { fault, signal, mayBreakOff = false }: Reception,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let failure: { reason: unknown } | undefined;
    const finish = (): void => {
      signal?.removeEventListener("abort", onAbort);
      if (failure) reject(failure.reason);
      else resolve();
    };
    const discard = (reason: unknown): void => {
      failure ??= { reason };
      if (mayBreakOff) finish();
      else connection.resume();
    };
    const onAbort = (): void => discard(signal?.reason);
    if (fault !== undefined) failure = { reason: fault };
    connection.receive({
      bytes(piece) {
        if (failure) return;
        try {
          const busy = taker.write(piece);
          if (!busy) return;
          connection.pause();
          busy.then(() => connection.resume(), discard);
        } catch (error) {
          discard(error);
        }
      },
      end: finish,
    });
    signal?.addEventListener("abort", onAbort, { once: true });
    if (signal?.aborted) onAbort();
    void connection.closed.then((error) => {
      if (error) failure ??= { reason: error };
      finish();
    });
  });
}
