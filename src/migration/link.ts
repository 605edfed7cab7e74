// One end of a session: sends and receives its frames over a connection, in one order each way, and
// notices when the other side is gone. What the frames mean is not known here.
import { PagefoldError, reasonOf } from "../core/errors.ts";
import { PieceReader } from "../core/piecereader.ts";
import { type Connection, pieces } from "../transport/connection.ts";
import type { Checksum } from "../wire/checksum.ts";
import {
  encodeSessionFrame,
  type SessionFrame,
  SessionFrameReader,
  SessionType,
} from "../wire/sessionframe.ts";

/** A peer is asked for a sign of life this often, and given up after as long as this. */
const HEARTBEAT_MS = 1000;
const SILENCE_MS = 6000;
/** How often the speed is measured, and what an earlier one counts when a slower one is seen. */
const MEASURED_MS = 100;
const DECAY = 0.9;
const NOTHING = new Uint8Array(0);

export interface LinkTimes {
  readonly heartbeatMs?: number | undefined;
  readonly silenceMs?: number | undefined;
}

export class SessionLink {
  readonly peer: string;
  private readonly connection: Connection;
  private readonly checksum: Checksum;
  private readonly reader: SessionFrameReader;
  private readonly heartbeat: NodeJS.Timeout;
  private readonly silenceMs: number;
  /** Speed of the link while it has something to send. */
  bytesPerMs = 0;
  private measured = { at: performance.now(), sentBytes: 0 };
  private sequence = 0;
  private heardAt = performance.now();
  private heardBytes = 0;

  constructor(connection: Connection, checksum: Checksum, times: LinkTimes = {}) {
    this.connection = connection;
    this.checksum = checksum;
    this.peer = connection.peer;
    this.reader = new SessionFrameReader(new PieceReader(pieces(connection), undefined), checksum);
    this.silenceMs = times.silenceMs ?? SILENCE_MS;
    this.heartbeat = setInterval(() => this.beat(), times.heartbeatMs ?? HEARTBEAT_MS);
    connection.closed.then(() => clearInterval(this.heartbeat));
  }

  get sentBytes(): number {
    return this.connection.sentBytes;
  }

  get receivedBytes(): number {
    return this.connection.receivedBytes;
  }

  /** Bytes that wait to be sent. */
  get queuedBytes(): number {
    return this.connection.queuedBytes;
  }

  /** Sends a frame; resolves when `body` may be used again. Failures also end `next`. */
  send(type: SessionType, guest: number, head: Uint8Array = NOTHING, body: Uint8Array = NOTHING) {
    const { sequence } = this;
    this.sequence = (sequence + 1) >>> 0;
    const { length: bodyBytes } = body;
    const frame = encodeSessionFrame(type, guest, sequence, head, bodyBytes, this.checksum);
    const sent = this.connection.write(bodyBytes > 0 ? [frame, body] : [frame]);
    sent.then(
      () => this.measure(),
      () => undefined,
    );
    return sent;
  }

  /** The next frame that means something to the session; undefined when the peer has ended. */
  async next(): Promise<SessionFrame | undefined> {
    for (;;) {
      const frame = await this.reader.next().catch((error) => {
        throw this.lost(error);
      });
      if (frame?.type === SessionType.PING) this.send(SessionType.PONG, 0).catch(() => undefined);
      else if (frame?.type !== SessionType.PONG) return frame;
    }
  }

  /** Ends the connection after what was sent. */
  end(): void {
    clearInterval(this.heartbeat);
    this.connection.end();
  }

  destroy(reason: Error): void {
    clearInterval(this.heartbeat);
    this.connection.destroy(reason);
  }

  /** Counts the fastest tenth of a second of late: others tell more of the sender than the link. */
  private measure(): void {
    const now = performance.now();
    const { sentBytes } = this.connection;
    const elapsedMs = now - this.measured.at;
    if (elapsedMs < MEASURED_MS) return;
    const bytesPerMs = (sentBytes - this.measured.sentBytes) / elapsedMs;
    this.bytesPerMs = Math.max(bytesPerMs, this.bytesPerMs * DECAY);
    this.measured = { at: now, sentBytes };
  }

  private beat(): void {
    const now = performance.now();
    const { receivedBytes } = this.connection;
    if (receivedBytes !== this.heardBytes) {
      this.heardBytes = receivedBytes;
      this.heardAt = now;
    }
    const silentMs = now - this.heardAt;
    if (silentMs > this.silenceMs) {
      const reason = `nothing was heard for ${Math.round(silentMs / 1000)} s`;
      this.destroy(new PagefoldError("CONNECTION", `${this.peer}: ${reason}`));
    } else {
      this.send(SessionType.PING, 0).catch(() => undefined);
    }
  }

  private lost(error: unknown): PagefoldError {
    if (error instanceof PagefoldError) return error;
    return new PagefoldError("CONNECTION", `${this.peer}: ${reasonOf(error)}`, { cause: error });
  }
}
