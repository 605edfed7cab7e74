// What a capture takes for a QEMU: a monitor that knows a guest's state and writes a made-up stream
// where it is told to migrate. As with QEMU, a snapshot that breaks off hangs the guest.
import { connect } from "node:net";
import { QmpServer, type Request } from "./qmpserver.ts";

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
  hangs = false;
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
      "query-version": () => ({
        qemu: { major: this.options.leavesStopped ? 9 : 7, minor: 2, micro: 22 },
      }),
      "query-status": () => ({ status: this.status, running: this.status === "running" }),
      "query-migrate": () => this.migration,
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
    const found = this.options.properties?.[`${`${path}`.slice("/objects/".length)}.${property}`];
    if (found === undefined) throw new Error(`no property ${property}`);
    return found;
  }

  private change(execute: string, args: Record<string, unknown>): void {
    const id = `${args.id}`;
    if (execute === "object-add") {
      if (this.objects.has(id)) throw new Error(`attempt to add duplicate property '${id}'`);
      this.objects.add(id);
    } else if (execute === "object-del") this.objects.delete(id);
    else if (execute === "stop") this.stop();
    else if (execute === "cont") this.go();
    else if (execute === "migrate_cancel") this.migration = { status: "cancelled" };
    else if (execute === "migrate") this.migrate(`${args.uri}`);
    else if (execute === "migrate-set-capabilities") {
      const list = args.capabilities as { capability: string; state: boolean }[];
      for (const { capability, state } of list) {
        if (state) this.capabilities.add(capability);
        else this.capabilities.delete(capability);
      }
    } else throw new Error(`unknown command ${execute}`);
  }

  private stop(): void {
    this.status = "paused";
    this.server?.event("STOP");
  }

  private go(): void {
    this.status = "running";
    this.server?.event("RESUME");
  }

  private migrate(uri: string): void {
    const { stream = new Uint8Array(0), connectFault, leavesStopped } = this.options;
    const isSnapshot = this.capabilities.has("background-snapshot");
    this.migration = { status: "active" };
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
      this.migration = { status: "failed", "error-desc": "Unable to write to socket" };
      this.hangs = isSnapshot;
    };
    socket.on("error", fail).on("close", fail);
    socket.write(stream, (error) => {
      if (error) return fail();
      if (this.migration.status === "active") this.migration = { status: "completed" };
      if (!isSnapshot) this.status = "postmigrate";
      socket.end();
    });
  }
}

function named({ capabilities }: Record<string, unknown>): string {
  const list = capabilities as { capability: string; state: boolean }[];
  return list.map(({ capability, state }) => `${state ? "+" : "-"}${capability}`).join(" ");
}
