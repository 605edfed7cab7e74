// The world outside of a guest: a unix socket on which its QEMU hands out what the guest sends, and
// the numbers that a guest with the workload `counter` has told there.
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const LIMIT_MS = 60_000;

export interface Heard {
  readonly number: number;
  /** From sending to hearing, by two clocks: differences alone mean something. */
  readonly delayMs: number;
}

/** What one QEMU has handed out. */
class Voice {
  readonly heard: Heard[] = [];
  isOver = false;
  private rest = Buffer.alloc(0);

  constructor(socket: Socket) {
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.isOver = true;
    });
    socket.on("data", (bytes) => this.take(bytes));
  }

  /** A frame is its length, 32 bits big-endian, and Ethernet. */
  private take(bytes: Buffer): void {
    this.rest = Buffer.concat([this.rest, bytes]);
    while (this.rest.length >= 4) {
      const end = 4 + this.rest.readUInt32BE(0);
      if (this.rest.length < end) return;
      const text = this.rest.toString("latin1", 4, end);
      this.rest = this.rest.subarray(end);
      const [, number, sentMs] = /counter (\d+) at (\d+);/.exec(text) ?? [];
      if (number === undefined) continue;
      this.heard.push({ number: Number(number), delayMs: Date.now() - Number(sentMs) });
    }
  }
}

export class Outside {
  /** The QEMU that came last is the last one. */
  readonly voices: Voice[] = [];
  private readonly path: string;
  private readonly server: Server;

  static async open(path: string): Promise<Outside> {
    const outside = new Outside(path);
    outside.server.listen(path);
    await once(outside.server, "listening");
    return outside;
  }

  private constructor(path: string) {
    this.path = path;
    this.server = createServer((socket) => this.voices.push(new Voice(socket)));
  }

  /** For `GuestOptions`. */
  get netdev(): string {
    return `stream,server=off,addr.type=unix,addr.path=${this.path}`;
  }

  /** What the guest has told in its last QEMU. */
  get heard(): readonly Heard[] {
    return this.voices.at(-1)?.heard ?? [];
  }

  /** The highest number that the guest has told anybody. */
  get highest(): number {
    return Math.max(0, ...this.voices.map(({ heard }) => heard.at(-1)?.number ?? 0));
  }

  /** Resolves with the first number that the guest tells in another QEMU than before. */
  async firstOf(voice: number): Promise<number> {
    await this.reaches(() => (this.voices[voice]?.heard.length ?? 0) > 0);
    return this.voices[voice].heard[0].number;
  }

  /** Resolves when nothing of a QEMU that has died is under way any more. */
  async silence(voice: number): Promise<void> {
    await this.reaches(() => this.voices[voice].isOver);
  }

  async reaches(isSo: () => boolean): Promise<void> {
    for (const end = Date.now() + LIMIT_MS; !isSo(); await sleep(2)) {
      if (Date.now() > end) throw new Error(`the guest says nothing after ${this.highest}`);
    }
  }

  close(): void {
    this.server.close();
  }
}
