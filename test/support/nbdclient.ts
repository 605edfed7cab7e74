// A small NBD client for tests, written from the protocol's document and not from our server: it
// says what it is told to, and gives back what comes.
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";

const IHAVEOPT = 0x49484156454f5054n;

export interface OptionReply {
  option: number;
  type: number;
  data: Buffer;
}

export interface NbdReply {
  cookie: bigint;
  error: number;
  /** Content, at its place in the request. */
  data: Buffer;
  extents: { byteLength: number; flags: number }[];
}

export class NbdClient {
  socket: Duplex;
  isStructured = false;
  private buffered = Buffer.alloc(0);
  private isOver = false;
  private wake: () => void = () => {};

  constructor(socket: Duplex) {
    this.socket = socket;
    this.listen(socket);
  }

  /** Connects and takes the greeting. */
  static async open(path: string, flags = 3): Promise<NbdClient> {
    const socket: Socket = connect({ path });
    await once(socket, "connect");
    const client = new NbdClient(socket);
    const greeting = await client.take(18);
    if (greeting.toString("latin1", 0, 16) !== "NBDMAGICIHAVEOPT") throw new Error("no greeting");
    const word = Buffer.alloc(4);
    word.writeUInt32BE(flags);
    client.socket.write(word);
    return client;
  }

  /** Connects and chooses an image. */
  static async go(path: string, name: string, isStructured = false): Promise<NbdClient> {
    const client = await NbdClient.open(path);
    if (isStructured) {
      await client.option(8);
      client.isStructured = true;
      await client.option(10, Buffer.concat([text(name), u32(1), text("base:allocation")]));
    }
    const replies = await client.option(7, Buffer.concat([text(name), Buffer.alloc(2)]));
    if (replies.at(-1)?.type !== 1) throw new Error(`GO: ${replies.at(-1)?.type}`);
    return client;
  }

  /** Speaks through another stream from now on. */
  switchTo(socket: Duplex): void {
    this.socket.removeAllListeners("data");
    this.socket = socket;
    this.listen(socket);
  }

  send(option: number, data: Uint8Array = Buffer.alloc(0)): void {
    const head = Buffer.alloc(16);
    head.writeBigUInt64BE(IHAVEOPT);
    head.writeUInt32BE(option, 8);
    head.writeUInt32BE(data.length, 12);
    this.socket.write(Buffer.concat([head, data]));
  }

  /** Sends an option and takes its replies up to the final one. */
  async option(option: number, data?: Uint8Array): Promise<OptionReply[]> {
    this.send(option, data);
    const replies: OptionReply[] = [];
    for (;;) {
      const head = await this.take(20);
      const reply = {
        option: head.readUInt32BE(8),
        type: head.readUInt32BE(12),
        data: await this.take(head.readUInt32BE(16)),
      };
      replies.push(reply);
      if (reply.type === 1 || reply.type >= 2 ** 31) return replies;
    }
  }

  request(
    type: number,
    offset: bigint | number,
    byteLength: number,
    { flags = 0, cookie = 7n }: { flags?: number; cookie?: bigint } = {},
  ): void {
    const bytes = Buffer.alloc(28);
    bytes.writeUInt32BE(0x25609513, 0);
    bytes.writeUInt16BE(flags, 4);
    bytes.writeUInt16BE(type, 6);
    bytes.writeBigUInt64BE(cookie, 8);
    bytes.writeBigUInt64BE(BigInt(offset), 16);
    bytes.writeUInt32BE(byteLength, 24);
    this.socket.write(bytes);
  }

  async read(offset: number, byteLength: number): Promise<NbdReply> {
    this.request(0, offset, byteLength);
    return this.reply(offset, byteLength);
  }

  /** Takes the next reply; `byteLength` is what it holds if there is no error. */
  async reply(offset = 0, byteLength = 0): Promise<NbdReply> {
    if (this.isStructured) return this.chunks(offset, byteLength);
    const head = await this.take(16);
    if (head.readUInt32BE(0) !== 0x67446698) throw new Error("no simple reply");
    const error = head.readUInt32BE(4);
    const data = error === 0 ? await this.take(byteLength) : Buffer.alloc(0);
    return { cookie: head.readBigUInt64BE(8), error, data, extents: [] };
  }

  /** Exactly so many bytes; rejects when the stream ends before. */
  async take(byteLength: number): Promise<Buffer> {
    while (this.buffered.length < byteLength) {
      if (this.isOver) throw new Error("the server has gone");
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    const bytes = this.buffered.subarray(0, byteLength);
    this.buffered = this.buffered.subarray(byteLength);
    return bytes;
  }

  /** Resolves when the server ends the connection. */
  async ended(): Promise<void> {
    while (!this.isOver) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  close(): void {
    this.socket.destroy();
  }

  private async chunks(offset: number, byteLength: number): Promise<NbdReply> {
    const reply: NbdReply = { cookie: 0n, error: 0, data: Buffer.alloc(byteLength), extents: [] };
    for (let isLast = false; !isLast; ) {
      const head = await this.take(20);
      if (head.readUInt32BE(0) !== 0x668e33ef) throw new Error("no chunk");
      isLast = (head.readUInt16BE(4) & 1) === 1;
      reply.cookie = head.readBigUInt64BE(8);
      const body = await this.take(head.readUInt32BE(16));
      switch (head.readUInt16BE(6)) {
        case 1:
          reply.data.set(body.subarray(8), Number(body.readBigUInt64BE(0)) - offset);
          break;
        case 5:
          for (let at = 4; at < body.length; at += 8) {
            const flags = body.readUInt32BE(at + 4);
            reply.extents.push({ byteLength: body.readUInt32BE(at), flags });
          }
          break;
        case 0x8001:
          reply.error = body.readUInt32BE(0);
      }
    }
    return reply;
  }

  private listen(socket: Duplex): void {
    const end = (): void => {
      this.isOver = socket === this.socket || this.isOver;
      this.wake();
    };
    socket.on("data", (bytes: Buffer) => {
      this.buffered = Buffer.concat([this.buffered, bytes]);
      this.wake();
    });
    socket.on("error", () => undefined);
    socket.on("end", end);
    socket.on("close", end);
  }
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A string with its length before it. */
export function text(value: string): Buffer {
  return Buffer.concat([u32(Buffer.byteLength(value)), Buffer.from(value)]);
}
