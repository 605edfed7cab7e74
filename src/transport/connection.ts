// What a session sees of a link: an ordered stream of bytes each way. Records, heartbeats and the
// question whether the peer is still alive belong to the session.

/** What arrives on a connection. */
export interface Receiver {
  /**
   * The next bytes. They are valid during the call only: the buffer is used again. What it throws
   * destroys the connection with that reason.
   */
  bytes(piece: Uint8Array): void;
  /**
   * The peer sends no more; we still may. A peer that dies can look like this on tcp, unix and TLS
   * alike, so a session says goodbye in its own words.
   */
  end(): void;
}

export interface Connection {
  /** Who is at the other end, for messages. */
  readonly peer: string;
  /** Bytes that were handed to `write` and that the system has not taken yet. */
  readonly queuedBytes: number;
  /** Bytes taken by the system and bytes given to the receiver. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /**
   * Settles when the connection is over, with the reason if that was not orderly. It never rejects.
   */
  readonly closed: Promise<Error | undefined>;
  /**
   * Sends the parts one after another; they may lie in shared memory. They must stay as they are
   * until the promise resolves: then the system has them. It rejects with what ended the
   * connection, and may be left alone. Nobody is held back: look at `queuedBytes`, or wait.
   */
  write(parts: readonly Uint8Array[]): Promise<void>;
  /** Sends the end after all that was written. */
  end(): void;
  /** Starts to deliver; called once. Nothing is read before. */
  receive(receiver: Receiver): void;
  /** No bytes are delivered until `resume`; the peer is held back once the buffers are full. */
  pause(): void;
  resume(): void;
  /** Ends both directions at once; what is queued is lost. `closed` gives the reason. */
  destroy(reason?: Error): void;
}

/** What `pieces` takes in before its reader asks for it. */
const AHEAD_BYTES = 1 << 20;
/** TLS gives 16 KiB at a time; one allocation for many of them halves the cost of copying. */
const BLOCK_BYTES = 256 << 10;

/**
 * Bytes in their order, copied in by pieces and taken out in runs, each valid until the next. Its
 * blocks are used again: memory that is new to the process costs more than the copy.
 */
class Inbox {
  byteLength = 0;
  private readonly full: Uint8Array<ArrayBuffer>[] = [];
  private readonly spare: ArrayBuffer[] = [];
  /** Block of the run that was taken last, if all of it was taken. */
  private lent: ArrayBuffer | undefined;
  private block = new Uint8Array(0);
  private from = 0;
  private to = 0;

  add(piece: Uint8Array): void {
    this.byteLength += piece.length;
    for (let at = 0; at < piece.length; ) {
      if (this.to === this.block.length) {
        if (this.from < this.to) this.full.push(this.block.subarray(this.from));
        else if (this.block.length > 0) this.lent = this.block.buffer;
        this.block = new Uint8Array(this.spare.pop() ?? new ArrayBuffer(BLOCK_BYTES));
        this.from = 0;
        this.to = 0;
      }
      const part = piece.subarray(at, at + this.block.length - this.to);
      this.block.set(part, this.to);
      this.to += part.length;
      at += part.length;
    }
  }

  take(): Uint8Array<ArrayBuffer> | undefined {
    if (this.lent) this.spare.push(this.lent);
    let run = this.full.shift();
    this.lent = run?.buffer;
    if (!run && this.from < this.to) {
      run = this.block.subarray(this.from, this.to);
      this.from = this.to;
    }
    this.byteLength -= run?.length ?? 0;
    return run;
  }
}

/**
 * What arrives, for readers that take one piece after another; a piece is valid until the next is
 * asked for. Leaving the loop early destroys the connection; a connection that breaks throws its
 * reason, after what had arrived.
 */
export async function* pieces(connection: Connection): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const inbox = new Inbox();
  let isOver = false;
  let wake = (): void => {};
  const finish = (): void => {
    isOver = true;
    wake();
  };
  connection.receive({
    bytes(piece) {
      inbox.add(piece);
      if (inbox.byteLength >= AHEAD_BYTES) connection.pause();
      wake();
    },
    end: finish,
  });
  let failure: Error | undefined;
  connection.closed.then((reason) => {
    failure = reason;
    finish();
  });
  let isComplete = false;
  try {
    for (;;) {
      const wasFull = inbox.byteLength >= AHEAD_BYTES;
      const run = inbox.take();
      if (wasFull && inbox.byteLength < AHEAD_BYTES) connection.resume();
      if (run) yield run;
      else if (isOver) break;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
    if (failure) throw failure;
    isComplete = true;
  } finally {
    if (!isComplete) connection.destroy();
  }
}
