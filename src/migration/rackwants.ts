// What others want of the pages that we have claimed: looks for wants while there may be any, and
// has the target store those pages, a window of them at a time.
import { DIGEST_BYTES } from "../core/page.ts";
import type { IndexMember, Wants } from "../store/store.ts";
import type { Clock } from "./adaptiverate.ts";
import type { BoundedCalls } from "./boundedcalls.ts";

/** How often we look while pages flow: half of it is what a look costs a name that waits. */
const BUSY_MS = 25;
/** Without pages and wants we look ever more rarely, up to this: a session is dead after 5 s. */
const IDLE_MS = 500;
/** How long pages flow after the last one. */
const FLOW_MS = 300;
/** Pages that the target has been told to store and has not stored: its store is slower than we. */
const WINDOW_PAGES = 1024;
/** When it has stored none for so long, it never will. */
const STORED_MS = 1000;
/** Why a sleep ends; without a reason each abort would make an error with a stack. */
const AWAKE = "awake";
/** Wants that wait for the window. Who wanted the others asks its own source. */
const MAX_WANTED = 65_536;

export interface RackWantsOptions {
  readonly member: IndexMember;
  readonly clock: Clock;
  readonly calls: BoundedCalls;
  /** False if the content of that handle is gone. */
  store(digest: Uint8Array, handle: number): boolean;
}

export class RackWants {
  wanted = 0;
  /** Those of them whose content could not be had any more. */
  gone = 0;
  private readonly options: RackWantsOptions;
  private queue: { readonly digest: Uint8Array; readonly handle: number }[] = [];
  private unstored = 0;
  private storedAt = 0;
  private askedAt = Number.NEGATIVE_INFINITY;
  private activeAt = Number.NEGATIVE_INFINITY;
  private looking: Promise<void> | undefined;
  private wake = new AbortController();
  private napMs = 0;
  private isClosed = false;

  constructor(options: RackWantsOptions) {
    this.options = options;
  }

  /** The index is asked for claims, and its answer will bring wants. */
  asked(): void {
    this.askedAt = this.options.clock.now();
    this.flow();
  }

  /** We have claims: somebody may want them. */
  expect(): void {
    if (!this.isClosed) this.looking ??= this.lookAll();
  }

  /** The index has told us of these; each only once. */
  take({ digests, handles }: Wants): void {
    if (handles.length === 0 || this.isClosed) return;
    this.wanted += handles.length;
    this.flow();
    const room = Math.min(handles.length, MAX_WANTED - this.queue.length);
    for (let i = 0; i < room; i++) {
      const digest = digests.subarray(i * DIGEST_BYTES, (i + 1) * DIGEST_BYTES);
      this.queue.push({ digest, handle: handles[i] });
    }
    this.serve();
  }

  /** The target has stored so many. */
  stored(count: number): void {
    this.unstored = Math.max(this.unstored - count, 0);
    this.storedAt = this.options.clock.now();
    this.serve();
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.queue = [];
    this.wake.abort(AWAKE);
    await this.looking;
  }

  /** Has the target store what others want; says of what is gone that it is. */
  private serve(): void {
    const { clock, calls, member, store } = this.options;
    if (this.unstored === 0) this.storedAt = clock.now();
    else if (clock.now() - this.storedAt > STORED_MS) this.unstored = 0;
    const room = WINDOW_PAGES - this.unstored;
    if (room <= 0) return;
    const gone: Uint8Array[] = [];
    for (const { digest, handle } of this.queue.splice(0, room)) {
      if (store(digest, handle)) this.unstored++;
      else gone.push(digest);
    }
    this.gone += gone.length;
    if (gone.length === 0) return;
    const released = new Uint8Array(gone.length * DIGEST_BYTES);
    for (const [i, digest] of gone.entries()) released.set(digest, i * DIGEST_BYTES);
    void calls.ask(() => member.release(released));
  }

  /** Each look is a sign of life. A claim brings wants as well, and saves a look. */
  private async lookAll(): Promise<void> {
    const { clock, calls, member } = this.options;
    let ms = BUSY_MS;
    while (!this.isClosed) {
      await this.nap(Math.max(this.askedAt + ms - clock.now(), 1));
      const isFlowing = this.queue.length > 0 || clock.now() - this.activeAt < FLOW_MS;
      if (isFlowing) ms = BUSY_MS;
      if (this.isClosed || clock.now() < this.askedAt + ms) continue;
      if (!isFlowing) ms = Math.min(ms * 2, IDLE_MS);
      this.askedAt = clock.now();
      const answer = await calls.ask(
        () => member.wants(),
        (wants) => this.take(wants),
      );
      if (answer) this.take(answer.value);
      this.serve();
    }
  }

  private async nap(ms: number): Promise<void> {
    this.napMs = ms;
    this.wake = new AbortController();
    await this.options.clock.sleep(ms, this.wake.signal).catch(() => undefined);
    this.napMs = 0;
  }

  /** Pages flow: we must not sleep for long. */
  private flow(): void {
    this.activeAt = this.options.clock.now();
    if (this.napMs > BUSY_MS) this.wake.abort(AWAKE);
  }
}
