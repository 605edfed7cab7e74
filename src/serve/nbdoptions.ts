// The first phase of an NBD connection: greeting, options, and the choice of an image. It ends with
// an image and what was agreed on, or with nothing, when the client goes or breaks the protocol.
import type { Duplex } from "node:stream";
import { PAGE_BYTES } from "../core/page.ts";
import * as nbd from "./nbdoptionwire.ts";
import type { ServedImage } from "./servedimage.ts";
import { SocketReader } from "./socketreader.ts";

/** What transmission needs to know. */
export interface Agreement {
  readonly socket: Duplex;
  readonly reader: SocketReader;
  readonly image: ServedImage;
  readonly isStructured: boolean;
  /** Whether zeros may be asked for: base:allocation was chosen for this image. */
  readonly hasAllocation: boolean;
}

/** Turns a plain connection into one with TLS; undefined when the handshake fails. */
export type Upgrade = (socket: Duplex) => Promise<Duplex | undefined>;

export const CONTEXT_ID = 1;
const CONTEXT = "base:allocation";
const MAX_OPTION_BYTES = 65_536;
/** A client that haggles longer wants something else. */
const MAX_OPTIONS = 512;

export async function negotiate(
  socket: Duplex,
  images: ReadonlyMap<string, ServedImage>,
  upgrade: Upgrade | undefined,
): Promise<Agreement | undefined> {
  return new Negotiation(socket, images, upgrade).run();
}

class Negotiation {
  private socket: Duplex;
  private reader: SocketReader;
  private readonly images: ReadonlyMap<string, ServedImage>;
  /** Undefined once TLS is there, or where none is wanted. */
  private upgrade: Upgrade | undefined;
  private readonly isTls: boolean;
  private hasZeroes = true;
  private isStructured = false;
  /** The image that base:allocation was chosen for. */
  private allocationOf: string | undefined;

  constructor(
    socket: Duplex,
    images: ReadonlyMap<string, ServedImage>,
    upgrade: Upgrade | undefined,
  ) {
    this.socket = socket;
    this.reader = new SocketReader(socket);
    this.images = images;
    this.upgrade = upgrade;
    this.isTls = upgrade !== undefined;
  }

  async run(): Promise<Agreement | undefined> {
    this.socket.write(nbd.greeting());
    const flags = (await this.reader.take(4))?.readUInt32BE(0);
    const { FIXED_NEWSTYLE, NO_ZEROES } = nbd.HandshakeFlag;
    if (flags === undefined || (flags & ~(FIXED_NEWSTYLE | NO_ZEROES)) !== 0) return undefined;
    this.hasZeroes = (flags & NO_ZEROES) === 0;
    for (let count = 0; count < MAX_OPTIONS; count++) {
      const bytes = await this.reader.take(nbd.OPTION_HEAD_BYTES);
      const head = bytes && nbd.decodeOptionHead(bytes);
      if (!head || head.byteLength > MAX_OPTION_BYTES) return undefined;
      const body = await this.reader.take(head.byteLength);
      if (!body) return undefined;
      const next = await this.option(head.option, body);
      if (next === "end") return undefined;
      if (next !== "more") return next;
    }
    return undefined;
  }

  private async option(option: number, body: Buffer): Promise<Agreement | "more" | "end"> {
    const { Option, Reply } = nbd;
    if (option === Option.ABORT) {
      this.reply(option, Reply.ACK);
      return "end";
    }
    if (option === Option.STARTTLS) return this.startTls(body);
    if (this.upgrade) {
      if (option === Option.EXPORT_NAME) return "end";
      return this.reply(option, Reply.ERR_TLS_REQD);
    }
    switch (option) {
      case Option.EXPORT_NAME:
        return this.exportName(body.toString("utf8"));
      case Option.LIST:
        return this.list(body);
      case Option.INFO:
      case Option.GO:
        return this.inform(option, body);
      case Option.STRUCTURED_REPLY:
        if (body.length > 0) return this.reply(option, Reply.ERR_INVALID);
        this.isStructured = true;
        return this.reply(option, Reply.ACK);
      case Option.LIST_META_CONTEXT:
      case Option.SET_META_CONTEXT:
        return this.contexts(option, body);
      default:
        return this.reply(option, Reply.ERR_UNSUP);
    }
  }

  private async startTls(body: Buffer): Promise<"more" | "end"> {
    const { Reply, Option } = nbd;
    if (!this.upgrade) {
      const refusal = this.isTls ? Reply.ERR_INVALID : Reply.ERR_POLICY;
      return this.reply(Option.STARTTLS, refusal);
    }
    if (body.length > 0) return this.reply(Option.STARTTLS, Reply.ERR_INVALID);
    // Whatever came before the handshake was put there by somebody in the middle.
    if (this.socket.readableLength > 0) return "end";
    this.reply(Option.STARTTLS, Reply.ACK);
    this.reader.release();
    const secure = await this.upgrade(this.socket);
    if (!secure) return "end";
    this.socket = secure;
    this.reader = new SocketReader(secure);
    this.upgrade = undefined;
    return "more";
  }

  private exportName(name: string): Agreement | "end" {
    const image = this.imageOf(name);
    if (!image) return "end";
    this.socket.write(nbd.exportAnswer(image.byteLength, transmissionFlags(), this.hasZeroes));
    return this.agree(image);
  }

  private list(body: Buffer): "more" {
    const { Reply, Option } = nbd;
    if (body.length > 0) return this.reply(Option.LIST, Reply.ERR_INVALID);
    for (const name of this.images.keys()) {
      this.reply(Option.LIST, Reply.SERVER, nbd.encodeString(name));
    }
    return this.reply(Option.LIST, Reply.ACK);
  }

  private inform(option: number, body: Buffer): Agreement | "more" {
    const { Reply, InfoType } = nbd;
    const asked = nbd.decodeInfo(body);
    if (!asked) return this.reply(option, Reply.ERR_INVALID);
    const image = this.imageOf(asked.name);
    if (!image) return this.reply(option, Reply.ERR_UNKNOWN);
    this.reply(option, Reply.INFO, nbd.exportDetails(image.byteLength, transmissionFlags()));
    if (asked.wanted.includes(InfoType.NAME)) {
      this.reply(option, Reply.INFO, nbd.nameDetails(image.name));
    }
    if (asked.wanted.includes(InfoType.BLOCK_SIZE)) {
      this.reply(option, Reply.INFO, nbd.blockSizes(PAGE_BYTES));
    }
    this.reply(option, Reply.ACK);
    return option === nbd.Option.GO ? this.agree(image) : "more";
  }

  private contexts(option: number, body: Buffer): "more" {
    const { Reply, Option } = nbd;
    const isChoice = option === Option.SET_META_CONTEXT;
    if (isChoice) this.allocationOf = undefined;
    const asked = this.isStructured ? nbd.decodeQueries(body) : undefined;
    if (!asked) return this.reply(option, Reply.ERR_INVALID);
    const image = this.imageOf(asked.name);
    if (!image) return this.reply(option, Reply.ERR_UNKNOWN);
    const { queries } = asked;
    const isFound = isChoice
      ? queries.includes(CONTEXT)
      : queries.length === 0 || queries.includes(CONTEXT) || queries.includes("base:");
    if (isFound) this.socket.write(nbd.contextReply(option, isChoice ? CONTEXT_ID : 0, CONTEXT));
    if (isFound && isChoice) this.allocationOf = image.name;
    return this.reply(option, Reply.ACK);
  }

  private agree(image: ServedImage): Agreement {
    const { socket, reader, isStructured, allocationOf } = this;
    return { socket, reader, image, isStructured, hasAllocation: allocationOf === image.name };
  }

  /** The empty name is that of the image, if there is only one. */
  private imageOf(name: string): ServedImage | undefined {
    if (name !== "" || this.images.size !== 1) return this.images.get(name);
    return this.images.values().next().value;
  }

  private reply(option: number, type: number, body?: Uint8Array): "more" {
    this.socket.write(nbd.optionReply(option, type, body));
    return "more";
  }
}

function transmissionFlags(): number {
  const { HAS_FLAGS, READ_ONLY, SEND_FLUSH, CAN_MULTI_CONN, SEND_CACHE } = nbd.TransmissionFlag;
  return HAS_FLAGS | READ_ONLY | SEND_FLUSH | CAN_MULTI_CONN | SEND_CACHE;
}
