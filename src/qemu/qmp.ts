// A client of QEMU's monitor (QMP) over a unix socket: commands with their answers, and events. It
// knows no command by itself but the one that opens the monitor.
import { createConnection, type Socket } from "node:net";
import { PagefoldError, reasonOf } from "../core/errors.ts";
import { QmpLines, type QmpMessage } from "./qmplines.ts";

/** Something that QEMU tells without being asked. */
export interface QmpEvent {
  /** "STOP", "RESUME", "MIGRATION", … */
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** QEMU's clock when it happened, in milliseconds since 1970. */
  readonly timeMs: number;
  /** Events of a connection are numbered from 0. */
  readonly number: number;
}

export interface QmpWait {
  signal?: AbortSignal;
  /** Default: as long as it takes. */
  timeoutMs?: number;
}

export interface QmpEventWait extends QmpWait {
  /** Only events with a higher number count. Default: -1, events of the past as well. */
  after?: number;
}

/** Events that are kept for those who ask later. */
const KEPT_EVENTS = 1024;

interface Waiting {
  readonly what: string;
  /** Whether the message settles it. */
  readonly isAnswer: (message: QmpMessage, event: QmpEvent | undefined) => boolean;
  readonly resolve: (message: QmpMessage, event: QmpEvent | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** A monitor that says nothing for so long has another client. */
const GREETING_MS = 10_000;

/** Connects to the monitor at `path` and makes it take commands; waits for 10 s by default. */
export async function openQmp(path: string, options: QmpWait = {}): Promise<Qmp> {
  const wait = { timeoutMs: GREETING_MS, ...options };
  wait.signal?.throwIfAborted();
  const qmp = new Qmp(path, createConnection(path));
  try {
    // A monitor that serves another client lets us connect and says nothing.
    await qmp.greeting(wait);
    await qmp.execute("qmp_capabilities", undefined, wait);
  } catch (error) {
    qmp.close();
    throw error;
  }
  return qmp;
}

export class Qmp {
  private readonly path: string;
  private readonly socket: Socket;
  private readonly waiting = new Set<Waiting>();
  private readonly listeners = new Set<(event: QmpEvent) => void>();
  private kept: QmpEvent[] = [];
  private eventCount = 0;
  private nextId = 1;
  private end: PagefoldError | undefined;

  /** Use `openQmp`. */
  constructor(path: string, socket: Socket) {
    this.path = path;
    this.socket = socket;
    const lines = new QmpLines(path);
    socket.on("data", (bytes: Buffer) => {
      try {
        for (const message of lines.take(bytes)) this.take(message);
      } catch (error) {
        this.finish(error as PagefoldError);
      }
    });
    socket.on("error", (error) => this.finish(this.fault(reasonOf(error))));
    socket.on("close", () => this.finish(this.fault("QEMU closed the monitor")));
  }

  /** The latest events, the oldest first. */
  get events(): readonly QmpEvent[] {
    return this.kept;
  }

  /**
   * Runs a command and resolves with what it returns. Rejects with QEMU's own words if it refuses,
   * and when the monitor closes. A command whose answer is not awaited any more still runs.
   */
  execute<T = unknown>(command: string, args?: object, wait: QmpWait = {}): Promise<T> {
    const id = this.nextId++;
    const answer = this.wait(command, wait, (message) => message.id === id);
    const request =
      args === undefined ? { execute: command } : { execute: command, arguments: args };
    if (!this.end) this.socket.write(`${JSON.stringify({ ...request, id })}\n`);
    return answer.then(({ message }) => {
      if (!message.error) return message.return as T;
      throw new PagefoldError(
        "CONNECTION",
        `${this.path}: ${command}: ${message.error.desc ?? message.error.class}`,
      );
    });
  }

  /** The first event with that name, or that `wanted` says yes to. */
  async event(
    wanted: string | ((event: QmpEvent) => boolean),
    wait: QmpEventWait = {},
  ): Promise<QmpEvent> {
    const { after = -1 } = wait;
    const isWanted = (event: QmpEvent): boolean =>
      event.number > after && (typeof wanted === "string" ? event.name === wanted : wanted(event));
    const past = this.kept.find(isWanted);
    if (past) return past;
    const what = typeof wanted === "string" ? `event ${wanted}` : "an event";
    const { event } = await this.wait(what, wait, (_, e) => e !== undefined && isWanted(e));
    return event as QmpEvent;
  }

  /** Calls `listener` with every event from now on; the result ends that. */
  onEvent(listener: (event: QmpEvent) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  close(): void {
    this.finish(this.fault("the monitor was closed"));
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** What a monitor says first; asked for by `openQmp`. */
  async greeting(wait: QmpWait): Promise<void> {
    const what = "greeting of a monitor, which serves one client at a time";
    await this.wait(what, wait, (message) => message.QMP !== undefined);
  }

  /** Resolves with the message that settles it. */
  private wait(
    what: string,
    { signal, timeoutMs }: QmpWait,
    isAnswer: Waiting["isAnswer"],
  ): Promise<{ message: QmpMessage; event: QmpEvent | undefined }> {
    if (this.end) return Promise.reject(this.fault(`${what}: the monitor is closed`));
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const onAbort = (): void => waiting.reject(signal?.reason);
      const settled = (settle: () => void): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        this.waiting.delete(waiting);
        settle();
      };
      const waiting: Waiting = {
        what,
        isAnswer,
        resolve: (message, event) => settled(() => resolve({ message, event })),
        reject: (error) => settled(() => reject(error)),
      };
      this.waiting.add(waiting);
      signal?.addEventListener("abort", onAbort, { once: true });
      if (timeoutMs === undefined) return;
      const late = (): void => waiting.reject(this.fault(`${what}: nothing in ${timeoutMs} ms`));
      timer = setTimeout(late, timeoutMs);
    });
  }

  private take(message: QmpMessage): void {
    const event = this.eventOf(message);
    for (const waiting of [...this.waiting]) {
      if (waiting.isAnswer(message, event)) waiting.resolve(message, event);
    }
    if (event) for (const listener of [...this.listeners]) listener(event);
  }

  private eventOf({ event, data = {}, timestamp }: QmpMessage): QmpEvent | undefined {
    if (event === undefined) return undefined;
    const { seconds = 0, microseconds = 0 } = timestamp ?? {};
    const timeMs = seconds * 1000 + microseconds / 1000;
    const found = { name: event, data, timeMs, number: this.eventCount++ };
    this.kept.push(found);
    if (this.kept.length > 2 * KEPT_EVENTS) this.kept = this.kept.slice(-KEPT_EVENTS);
    return found;
  }

  private finish(error: PagefoldError): void {
    if (this.end) return;
    this.end = error;
    this.socket.destroy();
    for (const waiting of [...this.waiting]) {
      waiting.reject(new PagefoldError(error.code, `${error.message} (${waiting.what})`));
    }
  }

  private fault(reason: string): PagefoldError {
    return new PagefoldError("CONNECTION", `${this.path}: ${reason}`);
  }
}
