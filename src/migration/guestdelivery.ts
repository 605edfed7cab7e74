// Hands the stream of one guest at the target to the hypervisor that waits for it. What decides is
// withheld until it is released; what was released cannot be taken back.
import { setTimeout as sleep } from "node:timers/promises";
import { reasonOf } from "../core/errors.ts";

/** More than that is not withheld: only the last of it has to be. */
const MAX_WITHHELD_BYTES = 64 << 20;
/** Who has not taken what was released after so long is not waited for when the session is over. */
const HANGING_MS = 60_000;

/** Where the stream of a guest goes. */
export interface GuestSink {
  /** Takes the next bytes, valid until the promise resolves: then more should come. */
  write(bytes: Uint8Array): Promise<void>;
  /** The stream is complete. */
  end(): void;
  /** There will be no more, and what came is not to be used. */
  abort(reason: string): void;
}

export interface DeliveryListener {
  /** These bytes have been delivered: nobody looks at them any more. */
  delivered(bytes: Uint8Array): void;
  /** So much of the stream has been taken, or is withheld, which waits for no hypervisor. */
  taken(streamBytes: number): void;
  /** The hypervisor takes no more. */
  failed(reason: string): void;
}

/** Part of a stream as it is delivered, and how many bytes of the source's stream it stands for. */
interface Part {
  readonly bytes: Uint8Array;
  readonly streamBytes: number;
}

export class GuestDelivery {
  /** Bytes of the stream that wait for the release. */
  withheldBytes = 0;
  isReleased = false;
  private readonly listener: DeliveryListener;
  private readonly withheld: Part[] = [];
  private sink: GuestSink | undefined;
  private deliveredBytes = 0;
  private abortReason: string | undefined;
  private isEnding = false;
  /** All that was handed over has been taken. */
  private writing: Promise<void> = Promise.resolve();

  constructor(listener: DeliveryListener) {
    this.listener = listener;
  }

  /** Says where the stream will go; once, first of all. What comes before waits. */
  connect(sink: Promise<GuestSink>): void {
    this.writing = sink.then(
      (found) => {
        this.sink = found;
        if (this.abortReason !== undefined) found.abort(this.abortReason);
      },
      (error) => this.listener.failed(reasonOf(error)),
    );
  }

  /** Behind what is withheld nothing goes on before it, whatever is said of it. */
  take(bytes: Uint8Array, isWithheld: boolean, streamBytes = bytes.length): void {
    const part = { bytes, streamBytes };
    if (this.isReleased || !(isWithheld || this.withheld.length > 0)) {
      this.deliver(part);
      return;
    }
    this.withheld.push(part);
    this.withheldBytes += streamBytes;
    while (this.withheldBytes > MAX_WITHHELD_BYTES) {
      const first = this.withheld.shift() as Part;
      this.withheldBytes -= first.streamBytes;
      this.deliver(first);
    }
    this.tell();
  }

  /** Resolves when the hypervisor has taken all that came so far and is not withheld. */
  get delivered(): Promise<void> {
    return this.writing;
  }

  release(): void {
    this.isReleased = true;
    this.withheldBytes = 0;
    for (const part of this.withheld.splice(0)) this.deliver(part);
  }

  /**
   * Resolves when the hypervisor has taken what was released, or hangs. Whoever ends before takes
   * the rest of it along, and the guest would be nowhere but paused at its source.
   */
  async handedOver(): Promise<void> {
    if (!this.isReleased) return;
    const hangs = sleep(HANGING_MS, undefined, { ref: false });
    await Promise.race([this.writing, hangs]);
  }

  /** Nothing more comes. Resolves when the hypervisor has taken all, and knows. */
  end(): Promise<void> {
    if (!this.isEnding) this.writing = this.writing.then(() => this.sink?.end());
    this.isEnding = true;
    return this.writing;
  }

  /** Nothing more is to come, and what has come is not to be used. For what was not released. */
  abort(reason: string): void {
    this.abortReason = reason;
    this.withheld.length = 0;
    this.withheldBytes = 0;
    this.sink?.abort(reason);
  }

  private deliver({ bytes, streamBytes }: Part): void {
    this.writing = this.writing.then(async () => {
      if (this.abortReason !== undefined) return;
      try {
        await this.sink?.write(bytes);
      } catch (error) {
        this.listener.failed(`QEMU at the target: ${reasonOf(error)}`);
      }
      this.deliveredBytes += streamBytes;
      this.listener.delivered(bytes);
      this.tell();
    });
  }

  private tell(): void {
    this.listener.taken(this.deliveredBytes + this.withheldBytes);
  }
}
