// The second phase of an NBD connection: requests for an image, answered in their order. What they
// ask for is decoded side by side, within bounds; nothing is read while a client does not take it.
import { once } from "node:events";
import { reasonOf } from "../core/errors.ts";
import { type Agreement, CONTEXT_ID } from "./nbdoptions.ts";
import * as nbd from "./nbdwire.ts";

/** Requests under way, and bytes of content that they may hold together. */
const MAX_PENDING = 32;
const MAX_PENDING_BYTES = 4 << 20;
/** What a request holds at most before its turn has come: a block. */
const MAX_HELD_BYTES = 2 << 20;
/** A client that takes nothing for so long is gone. */
const WRITE_MS = 120_000;
/** What CACHE reads at most; more would push out what was read first. */
const MAX_CACHED_BYTES = 8 << 20;
const MAX_EXTENTS = 8192;

type Message = readonly Uint8Array[];

export class NbdSession {
  private readonly agreement: Agreement;
  private readonly onFault: (message: string) => void;
  private pendingCount = 0;
  private pendingBytes = 0;
  private sending: Promise<void> = Promise.resolve();
  private wake: () => void = () => {};

  constructor(agreement: Agreement, onFault: (message: string) => void) {
    this.agreement = agreement;
    this.onFault = onFault;
  }

  /** Resolves when the client has gone, or has broken the protocol. */
  async run(): Promise<void> {
    const { socket, reader } = this.agreement;
    for (;;) {
      const bytes = await reader.take(nbd.REQUEST_BYTES);
      const request = bytes && nbd.decodeRequest(bytes);
      if (!request || request.type === nbd.Command.DISC) break;
      const { type, byteLength } = request;
      if (type === nbd.Command.WRITE) {
        if (byteLength > nbd.MAX_PAYLOAD_BYTES || !(await reader.skip(byteLength))) break;
      }
      const held = type === nbd.Command.READ ? Math.min(byteLength, MAX_HELD_BYTES) : 0;
      await this.roomFor(held);
      if (socket.destroyed) break;
      this.begin(request, held);
    }
    await this.sending;
    socket.end();
  }

  /** Answers when those before it have been answered; its first piece is read at once. */
  private begin(request: nbd.Request, held: number): void {
    const { socket } = this.agreement;
    this.pendingCount++;
    this.pendingBytes += held;
    const messages = this.answer(request);
    const first = messages.next();
    this.sending = this.sending.then(async () => {
      try {
        for (let next = await first; !next.done; next = await messages.next()) {
          if (!(await this.send(next.value))) break;
        }
      } catch (error) {
        // A reply that has begun cannot be taken back.
        this.onFault(reasonOf(error));
        socket.destroy();
      } finally {
        await messages.return(undefined);
        this.pendingCount--;
        this.pendingBytes -= held;
        this.wake();
      }
    });
    // Handled there; it may fail before its turn has come.
    first.catch(() => undefined);
  }

  private async *answer(request: nbd.Request): AsyncGenerator<Message, void> {
    const { Command, Fault } = nbd;
    const fault = this.faultOf(request);
    if (fault) return yield [this.refusal(request, ...fault)];
    const { image } = this.agreement;
    const { cookie, byteLength } = request;
    const offset = Number(request.offset);
    try {
      switch (request.type) {
        case Command.READ:
          yield* this.read(cookie, offset, byteLength);
          return;
        case Command.CACHE:
          for await (const _ of image.read(offset, Math.min(byteLength, MAX_CACHED_BYTES)));
          break;
        case Command.BLOCK_STATUS: {
          const most = request.flags & nbd.FLAG_REQ_ONE ? 1 : MAX_EXTENTS;
          const extents = await image.zeroExtents(offset, byteLength, most);
          return yield [nbd.statusChunk(cookie, CONTEXT_ID, extents)];
        }
      }
      yield [this.agreement.isStructured ? nbd.doneChunk(cookie) : nbd.simpleReply(cookie, 0)];
    } catch (error) {
      if (error instanceof BegunError) throw error.cause;
      this.onFault(reasonOf(error));
      yield [this.refusal(request, Fault.EIO, reasonOf(error))];
    }
  }

  private async *read(
    cookie: bigint,
    offset: number,
    byteLength: number,
  ): AsyncGenerator<Message, void> {
    const { image, isStructured } = this.agreement;
    let done = 0;
    try {
      for await (const piece of image.read(offset, byteLength)) {
        const isLast = done + piece.length === byteLength;
        if (isStructured) {
          yield [nbd.dataChunk(cookie, offset + done, piece.length, isLast), piece];
        } else {
          yield done === 0 ? [nbd.simpleReply(cookie, 0), piece] : [piece];
        }
        done += piece.length;
      }
    } catch (error) {
      // A structured reply may still tell of it.
      if (done > 0 && !isStructured) throw new BegunError("", { cause: error });
      throw error;
    }
  }

  /** Why a request is refused, if it is. */
  private faultOf({ type, flags, offset, byteLength }: nbd.Request): [number, string] | undefined {
    const { Command, Fault } = nbd;
    const { image, hasAllocation } = this.agreement;
    switch (type) {
      case Command.WRITE:
      case Command.TRIM:
      case Command.WRITE_ZEROES:
        return [Fault.EPERM, "images are read-only"];
      case Command.FLUSH:
        return flags === 0 ? undefined : [Fault.EINVAL, `flags ${flags} of a flush`];
      case Command.READ:
      case Command.CACHE:
      case Command.BLOCK_STATUS:
        break;
      default:
        return [Fault.EINVAL, `there is no command ${type}`];
    }
    const isStatus = type === Command.BLOCK_STATUS;
    if (isStatus && !hasAllocation) return [Fault.EINVAL, "base:allocation was not chosen"];
    if ((flags & ~(isStatus ? nbd.FLAG_REQ_ONE : 0)) !== 0) return [Fault.EINVAL, `flags ${flags}`];
    const range = `${byteLength} bytes from byte ${offset} on`;
    if (byteLength === 0 || offset + BigInt(byteLength) > BigInt(image.byteLength)) {
      return [Fault.EINVAL, `${range} are not in the ${image.byteLength} of the image`];
    }
    const isTooLong = type === Command.READ && byteLength > nbd.MAX_PAYLOAD_BYTES;
    return isTooLong ? [Fault.EINVAL, `${range}, limit ${nbd.MAX_PAYLOAD_BYTES}`] : undefined;
  }

  private refusal({ cookie }: nbd.Request, fault: number, reason: string): Buffer {
    if (!this.agreement.isStructured) return nbd.simpleReply(cookie, fault);
    return nbd.errorChunk(cookie, fault, reason);
  }

  /** False when nobody is there to take it. */
  private async send(message: Message): Promise<boolean> {
    const { socket } = this.agreement;
    if (socket.destroyed) return false;
    socket.cork();
    let isTaken = true;
    for (const bytes of message) isTaken = socket.write(bytes);
    socket.uncork();
    if (isTaken) return true;
    const stopped = new AbortController();
    const stop = (): void => stopped.abort();
    const timer = setTimeout(() => socket.destroy(), WRITE_MS);
    socket.once("close", stop);
    try {
      await once(socket, "drain", { signal: stopped.signal });
      return true;
    } catch {
      return false;
    } finally {
      clearTimeout(timer);
      socket.off("close", stop);
    }
  }

  private async roomFor(held: number): Promise<void> {
    while (
      this.pendingCount >= MAX_PENDING ||
      (this.pendingCount > 0 && this.pendingBytes + held > MAX_PENDING_BYTES)
    ) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }
}

/** Reading failed when a part of the answer had been given. */
class BegunError extends Error {}
