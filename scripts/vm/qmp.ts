// The monitor of a QEMU: commands one after the other, and the time of every event so far. Times are
// QEMU's own, taken when the event happens, so a busy reader does not shift them.
import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { createInterface } from "node:readline";

export interface QmpEvent {
  name: string;
  /** Milliseconds since 1970. */
  timeMs: number;
  values: Record<string, unknown>;
}

interface Waiting {
  command: string;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

interface Message {
  return?: unknown;
  error?: { desc: string };
  event?: string;
  data?: Record<string, unknown>;
  timestamp?: { seconds: number; microseconds: number };
}

export class Qmp {
  readonly events: QmpEvent[] = [];
  #socket: Socket;
  #waiting: Waiting[] = [];
  #watchers = new Set<() => void>();
  #closed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("error", () => this.#close());
    socket.on("close", () => this.#close());
    createInterface({ input: socket }).on("line", (line) => this.#take(JSON.parse(line)));
  }

  static async open(path: string): Promise<Qmp> {
    const socket = createConnection(path);
    await once(socket, "connect");
    const qmp = new Qmp(socket);
    await qmp.execute("qmp_capabilities");
    return qmp;
  }

  async execute(command: string, parameters: object = {}): Promise<unknown> {
    if (this.#closed) throw new Error(`${command}: QEMU is gone`);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ command, resolve, reject });
      this.#socket.write(`${JSON.stringify({ execute: command, arguments: parameters })}\n`);
    });
  }

  /** The first event that `isWanted` says yes to, past ones included. */
  async event(isWanted: (event: QmpEvent) => boolean, limitMs: number): Promise<QmpEvent> {
    const found = this.events.find(isWanted);
    if (found) return found;
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void) => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        settle();
      };
      const look = () => {
        const event = this.events.find(isWanted);
        if (event) finish(() => resolve(event));
        else if (this.#closed) finish(() => reject(new Error("QEMU ended before the event")));
      };
      const names = () => this.events.map(({ name }) => name).join(" ");
      const late = () => finish(() => reject(new Error(`no event in ${limitMs} ms: ${names()}`)));
      const timer = setTimeout(late, limitMs);
      this.#watchers.add(look);
      look();
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #take({ return: value, error, event, data = {}, timestamp }: Message): void {
    if (event !== undefined && timestamp) {
      const timeMs = timestamp.seconds * 1000 + timestamp.microseconds / 1000;
      this.events.push({ name: event, timeMs, values: data });
      for (const look of [...this.#watchers]) look();
    } else if (error) {
      const waiting = this.#waiting.shift();
      waiting?.reject(new Error(`${waiting.command}: ${error.desc}`));
    } else if (value !== undefined) this.#waiting.shift()?.resolve(value);
  }

  #close(): void {
    this.#closed = true;
    for (const { command, reject } of this.#waiting.splice(0)) {
      reject(new Error(`${command}: QEMU closed the connection`));
    }
    for (const look of [...this.#watchers]) look();
  }
}
