// What a capture takes for a QEMU: a monitor that knows a guest's state and writes a made-up stream
// where it is told to migrate. As with QEMU, a snapshot that breaks off hangs the guest, a guest
// that migrates is stopped for the end, and goes on when that fails.
import { connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { openQmp, type Qmp } from "../../src/qemu/qmp.ts";
import { temporaryFolder } from "./folder.ts";
import { QmpServer, type Request } from "./qmpserver.ts";

const BLOCKS = `
              Block Name    PSize              Offset               Used              Total
                  pc.ram    4 KiB  0x0000000000000000 0x000000000012c000 0x000000000012c000
                 pc.bios    4 KiB  0x0000000000140000 0x0000000000040000 0x0000000000040000
`;

export interface FakeGuestOptions {
  readonly stream?: Uint8Array;
  readonly status?: string;
  readonly migration?: Record<string, unknown>;
  readonly capabilities?: readonly string[];
  readonly disks?: readonly object[];
  readonly backends?: readonly Record<string, unknown>[];
  /** Properties of backends, by "ID.NAME". */
  readonly properties?: Readonly<Record<string, string>>;
  /** How a migration ends that cannot connect. */
  readonly connectFault?: string;
  /** What it says of its blocks of RAM. */
  readonly blocks?: string;
  readonly hasKvm?: boolean;
  /** Writes as fast as QEMU migrates it: there is no end until it is stopped. */
  readonly isBusy?: boolean;
  readonly version?: string;
  /** Snapshots of a stopped guest leave it so, as from QEMU 9.0 on. */
  readonly leavesStopped?: boolean;
}

export class FakeGuest {
  status: string;
  migration: Record<string, unknown>;
  readonly capabilities: Set<string>;
  readonly objects = new Set<string>();
  /** Commands that changed something, in their order. */
  readonly changes: string[] = [];
  readonly parameters: Record<string, number> = { "downtime-limit": 300, "max-bandwidth": 2 ** 27 };
  mark = "";
  hangs = false;
  private stopped: (() => void) | undefined;
  private server: QmpServer | undefined;
  private readonly options: FakeGuestOptions;

  static async open(folder: string, options: FakeGuestOptions = {}): Promise<FakeGuest> {
    const guest = new FakeGuest(options);
    guest.server = await QmpServer.open(folder, (request) => guest.answer(request));
    return guest;
  }

  private constructor(options: FakeGuestOptions) {
    this.options = options;
    this.status = options.status ?? "running";
    this.migration = options.migration ?? {};
    this.capabilities = new Set(options.capabilities);
  }

  get path(): string {
    return (this.server as QmpServer).path;
  }

  close(): void {
    this.server?.close();
  }

  private answer(request: Request): string {
    const { id } = request;
    try {
      return `${JSON.stringify({ return: this.run(request) ?? {}, id })}\r\n`;
    } catch (error) {
      const desc = (error as Error).message;
      return `${JSON.stringify({ error: { class: "GenericError", desc }, id })}\r\n`;
    }
  }

  private run({ execute, arguments: args = {} }: Request): unknown {
    const known: Record<string, () => unknown> = {
      "query-version": () => {
        const [major, minor, micro] = (this.options.version ?? "7.2.22").split(".").map(Number);
        return { qemu: { major, minor, micro } };
      },
      "query-uuid": () => ({ UUID: "00000000-0000-0000-0000-000000000000" }),
      "query-name": () => ({ name: "web" }),
      "query-kvm": () => ({ enabled: this.options.hasKvm ?? false, present: true }),
      "human-monitor-command": () => this.options.blocks ?? BLOCKS,
      "query-migrate-parameters": () => this.parameters,
      "query-status": () => ({ status: this.status, running: this.status === "running" }),
      "query-migrate": () => this.queryMigrate(),
      "query-migrate-capabilities": () =>
        ["multifd", "xbzrle", "background-snapshot", "x-ignore-shared"].map((capability) => ({
          capability,
          state: this.capabilities.has(capability),
        })),
      "query-block": () => this.options.disks ?? [],
      "query-memdev": () => this.options.backends ?? [],
      "qom-list": () => [...this.objects].map((name) => ({ name })),
      "qom-get": () => this.property(args),
    };
    if (known[execute]) return known[execute]();
    this.changes.push(execute === "migrate-set-capabilities" ? named(args) : execute);
    return this.change(execute, args);
  }

  private property({ path, property }: Record<string, unknown>): string {
    if (path === "/machine") return "pc-q35-7.2-machine";
    if (property === "data") return this.mark;
    const found = this.options.properties?.[`${`${path}`.slice("/objects/".length)}.${property}`];
    if (found === undefined) throw new Error(`no property ${property}`);
    return found;
  }

  private change(execute: string, args: Record<string, unknown>): void {
    const id = `${args.id}`;
    if (execute === "object-add") {
      if (this.objects.has(id)) throw new Error(`attempt to add duplicate property '${id}'`);
      this.objects.add(id);
      this.mark = `${args.data}`;
    } else if (execute === "object-del") this.objects.delete(id);
    else if (execute === "stop") this.stop();
    else if (execute === "migrate-set-parameters") Object.assign(this.parameters, args);
    else if (execute === "cont") this.go();
    else if (execute === "migrate_cancel") this.fail({ status: "cancelled" });
    else if (execute === "migrate") this.migrate(`${args.uri}`);
    else if (execute === "migrate-set-capabilities") {
      const list = args.capabilities as { capability: string; state: boolean }[];
      for (const { capability, state } of list) {
        if (state) this.capabilities.add(capability);
        else this.capabilities.delete(capability);
      }
    } else throw new Error(`unknown command ${execute}`);
  }

  private queryMigrate(): Record<string, unknown> {
    const { status, ram } = this.migration as { status?: string; ram?: { [name: string]: number } };
    if (status === "active" && ram && this.options.isBusy) ram["dirty-sync-count"]++;
    return this.migration;
  }

  private stop(status = "paused"): void {
    const wasRunning = this.status === "running";
    this.status = status;
    if (wasRunning) this.server?.event("STOP");
    this.stopped?.();
  }

  private go(): void {
    this.status = "running";
    this.server?.event("RESUME");
  }

  /** What a migration has stopped goes on. */
  private fail(migration: Record<string, unknown>): void {
    this.migration = migration;
    if (this.status === "finish-migrate") this.go();
  }

  private migrate(uri: string): void {
    const { connectFault, leavesStopped } = this.options;
    const isSnapshot = this.capabilities.has("background-snapshot");
    this.migration = { status: "active", ram: { "dirty-sync-count": 1 } };
    if (connectFault !== undefined) {
      this.migration = { status: "failed", "error-desc": connectFault };
      return;
    }
    const wasRunning = this.status === "running";
    if (isSnapshot && wasRunning) this.stop();
    if (isSnapshot && (wasRunning || !leavesStopped)) this.go();
    const socket = connect(uri.slice("unix:".length));
    const fail = (): void => {
      if (this.migration.status !== "active") return;
      this.fail({ status: "failed", "error-desc": "Unable to write to socket" });
      this.hangs = isSnapshot;
    };
    socket.on("error", fail).on("close", fail);
    void this.writeTo(socket, isSnapshot || !wasRunning).catch(fail);
  }

  /** One half of the stream while the guest runs, the other one while it stands still. */
  private async writeTo(socket: Socket, isSteady: boolean): Promise<void> {
    const { stream = new Uint8Array(0), isBusy } = this.options;
    const written = (bytes: Uint8Array): Promise<void> =>
      new Promise((resolve, reject) => {
        socket.write(bytes, (error) => (error ? reject(error) : resolve()));
      });
    const half = isSteady ? 0 : stream.length >> 1;
    await written(stream.subarray(0, half));
    if (this.migration.status !== "active") return;
    const stopped = new Promise<void>((resolve) => {
      this.stopped = resolve;
    });
    if (!isSteady && isBusy) await stopped;
    else if (!isSteady) this.stop("finish-migrate");
    await written(stream.subarray(half));
    if (this.migration.status !== "active") return;
    this.migration = { status: "completed" };
    if (!this.capabilities.has("background-snapshot")) this.status = "postmigrate";
    socket.end();
  }
}

function named({ capabilities }: Record<string, unknown>): string {
  const list = capabilities as { capability: string; state: boolean }[];
  return list.map(({ capability, state }) => `${state ? "+" : "-"}${capability}`).join(" ");
}

/** One with its monitor open, until the test is over. */
export async function openFakeGuest(
  options: FakeGuestOptions = {},
  folder = temporaryFolder(),
): Promise<{ guest: FakeGuest; qmp: Qmp; folder: string }> {
  const guest = await FakeGuest.open(folder, options);
  const qmp = await openQmp(guest.path);
  onTestFinished(() => {
    qmp.close();
    guest.close();
  });
  return { guest, qmp, folder };
}
