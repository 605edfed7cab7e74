// Stands between a primary and its backup, and damages one byte of what the primary says, as often
// as it is asked to.
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { SessionType } from "../../src/wire/sessionframe.ts";

const HEADER_BYTES = 32;
const TYPE_AT = 4;
const HEAD_BYTES_AT = 12;
const BODY_BYTES_AT = 16;

export class Flipper {
  flips = 0;
  readonly #server: Server;
  readonly #sockets: Socket[] = [];
  #isAsked = false;

  /** Listens at one unix socket, and hands on to another. */
  static async open(from: string, to: string): Promise<Flipper> {
    const flipper = new Flipper(to);
    flipper.#server.listen(from);
    await once(flipper.#server, "listening");
    return flipper;
  }

  private constructor(to: string) {
    this.#server = createServer((primary) => {
      const backup = connect(to);
      this.#sockets.push(primary, backup);
      for (const socket of [primary, backup]) socket.on("error", () => undefined);
      primary.on("close", () => backup.destroy());
      // What it has said at last arrives first.
      backup.on("close", () => primary.end());
      let held = Buffer.alloc(0);
      primary.on("data", (bytes) => {
        held = Buffer.concat([held, bytes]);
        for (let frame = wholeFrame(held); frame; frame = wholeFrame(held)) {
          held = held.subarray(frame.length);
          this.#flip(frame);
          backup.write(frame);
        }
      });
      backup.pipe(primary);
    });
  }

  /** The next part of an epoch arrives damaged. */
  ask(): void {
    this.#isAsked = true;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #flip(frame: Buffer): void {
    const bodyBytes = frame.readUInt32LE(BODY_BYTES_AT);
    if (!this.#isAsked || frame[TYPE_AT] !== SessionType.EPOCH || bodyBytes === 0) return;
    frame[frame.length - 1 - (bodyBytes >> 1)] ^= 0x10;
    this.#isAsked = false;
    this.flips++;
  }
}

function wholeFrame(bytes: Buffer): Buffer | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const length =
    HEADER_BYTES + bytes.readUInt32LE(HEAD_BYTES_AT) + bytes.readUInt32LE(BODY_BYTES_AT);
  return bytes.length < length ? undefined : bytes.subarray(0, length);
}
