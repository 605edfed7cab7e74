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
import { encodeReason } from "../wire/sessionheads.ts";

/** A peer is asked for a sign of life this often, and given up after as long as this. */
const HEARTBEAT_MS = 1000;
const SILENCE_MS = 6000;
/** As many times longer a frame may take to be complete: behind a wrong length none ever is. */
const FRAME_SILENCES = 10;
/** Who breaks the rules may read why, but not for longer. */
const FAREWELL_MS = 500;
/** Answers to signs of life wait for nobody: who sends us more than it reads is alive. */
const MAX_PONG_QUEUE_BYTES = 1 << 16;
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
  /** Resolves when the connection is over. */
  readonly closed: Promise<void>;
  private readonly connection: Connection;
  private readonly checksum: Checksum;
  private readonly reader: SessionFrameReader;
  private readonly heartbeat: NodeJS.Timeout;
  private readonly heartbeatMs: number;
  private readonly silenceMs: number;
  /** Speed of the link while it has something to send. */
  bytesPerMs = 0;
  private measured = { at: performance.now(), sentBytes: 0 };
  private sequence = 0;
  private beatAt = performance.now();
  /** Received, or sent when nothing but the end is awaited. */
  private movedBytes = 0;
  /** Since a byte was received, and since a frame was. */
  private silentMs = 0;
  private framelessMs = 0;
  private isReading = false;
  private isEnding = false;
  private isClosed = false;
  private farewell: NodeJS.Timeout | undefined;

  constructor(connection: Connection, checksum: Checksum, times: LinkTimes = {}) {
    this.connection = connection;
    this.checksum = checksum;
    this.peer = connection.peer;
    this.reader = new SessionFrameReader(new PieceReader(pieces(connection), undefined), checksum);
    this.silenceMs = times.silenceMs ?? SILENCE_MS;
    this.heartbeatMs = times.heartbeatMs ?? HEARTBEAT_MS;
    this.heartbeat = setInterval(() => this.beat(), this.heartbeatMs);
    this.closed = connection.closed.then(() => {
      this.isClosed = true;
      clearInterval(this.heartbeat);
      clearTimeout(this.farewell);
    });
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
    this.isReading = true;
    try {
      for (;;) {
        const frame = await this.reader.next();
        this.framelessMs = 0;
        if (frame?.type === SessionType.PING) this.answer();
        else if (frame?.type !== SessionType.PONG) return frame;
      }
    } catch (error) {
      throw this.lost(error);
    } finally {
      this.isReading = false;
    }
  }

  /**
   * Ends the connection after what was sent. A peer that does not end it as well is given up like
   * one that is silent.
   */
  end(): void {
    this.expectEnd();
    this.connection.end();
  }

  /** From now on the peer has as long as it may be silent until the connection has to be over. */
  expectEnd(): void {
    if (this.isEnding) return;
    this.isEnding = true;
    this.silentMs = 0;
    this.movedBytes = this.connection.sentBytes;
  }

  /** Ends a session that cannot go on and says why, as far as the peer still listens. */
  refuse(error: Error): void {
    if (this.farewell || this.isClosed) return;
    const prefix = `${this.peer}: `;
    const { message } = error;
    const reason = message.startsWith(prefix) ? message.slice(prefix.length) : message;
    this.send(SessionType.BYE, 0, encodeReason(reason)).catch(() => undefined);
    this.end();
    this.farewell = setTimeout(() => this.destroy(error), FAREWELL_MS);
  }

  destroy(reason: Error): void {
    clearInterval(this.heartbeat);
    clearTimeout(this.farewell);
    this.connection.destroy(reason);
  }

  private answer(): void {
    if (this.connection.queuedBytes > MAX_PONG_QUEUE_BYTES) return;
    this.send(SessionType.PONG, 0).catch(() => undefined);
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
    const { sentBytes, receivedBytes } = this.connection;
    const movedBytes = this.isEnding ? sentBytes : receivedBytes;
    // A process that was stopped, or was busy, has not listened for as long as it believes; nor
    // has a session that takes its time over what it was given.
    const passedMs = Math.min(now - this.beatAt, 2 * this.heartbeatMs);
    this.beatAt = now;
    if (this.isReading || this.isEnding) this.silentMs += passedMs;
    if (this.isReading) this.framelessMs += passedMs;
    if (movedBytes !== this.movedBytes) this.silentMs = 0;
    this.movedBytes = movedBytes;
    const fault = this.fault;
    if (fault !== undefined)
      this.destroy(new PagefoldError("CONNECTION", `${this.peer}: ${fault}`));
    else if (!this.isEnding) this.send(SessionType.PING, 0).catch(() => undefined);
  }

  /** Why the peer has to be given up. */
  private get fault(): string | undefined {
    const { silentMs, framelessMs, silenceMs } = this;
    const seconds = (ms: number): string => `for ${Math.round(ms / 1000)} s`;
    if (silentMs > silenceMs) {
      const what = this.isEnding ? "it has not ended the session" : "nothing was heard";
      return `${what} ${seconds(silentMs)}`;
    }
    if (framelessMs <= FRAME_SILENCES * silenceMs) return undefined;
    return `no record was complete ${seconds(framelessMs)}`;
  }

  private lost(error: unknown): PagefoldError {
    if (error instanceof PagefoldError) return error;
    return new PagefoldError("CONNECTION", `${this.peer}: ${reasonOf(error)}`, { cause: error });
  }
}
