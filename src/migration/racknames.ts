// The source's end of a rack: asks the index which pages another host sends to the same target
// rack, numbers the names of those that may go as names, and has the target store what others want.
// Decides nothing about content and holds none: what a name stands for is with the session.
import { PagefoldError } from "../core/errors.ts";
import { DIGEST_BYTES } from "../core/page.ts";
import { Claim, type IndexMember } from "../store/store.ts";
import type { Clock } from "./adaptiverate.ts";
import { BoundedCalls } from "./boundedcalls.ts";
import { RackWants } from "./rackwants.ts";

/** Content is sent for what the index has not answered by then. */
const ANSWER_MS = 500;
const EFFECT = "hosts send again what others have sent";
/** Names after which we look whether most were found, and how long none are given if not. */
const JUDGED_NAMES = 512;
const REST_MS = 5000;

export interface RackNamesOptions {
  readonly member: IndexMember;
  readonly clock: Clock;
  /** Names that may be unresolved at a time; beyond it content is sent. */
  readonly heldPages: number;
  /** What the session does; none of it throws. */
  readonly session: {
    /** Tells the target to store it. False if the content of that handle is gone. */
    store(digest: Uint8Array, handle: number): boolean;
    /** Sends the content of these names, in this order. */
    answer(numbers: readonly number[]): void;
    /** One line for the user; once per cause. */
    notice(message: string): void;
  };
}

interface Held {
  readonly digest: Uint8Array;
  readonly handle: number;
  isAnswered: boolean;
}

export class RackNames {
  private readonly numbers = {
    /** Digests that the index was asked about, and names that were given. */
    asked: 0,
    named: 0,
    /** Names whose content was sent after all, because the target did not find it. */
    answered: 0,
    /** Pages that were sent again, because the answer came late or too many names were held. */
    repeated: 0,
  };
  private readonly options: RackNamesOptions;
  private readonly calls: BoundedCalls;
  private readonly wants: RackWants;
  private readonly held = new Map<number, Held>();
  private lastAnswer: Promise<unknown> = Promise.resolve();
  private isClosed = false;
  /** Names that the target has found, and has not, since they were judged. */
  private found = 0;
  private lost = 0;
  /** Until then nothing is named. */
  private restUntil = Number.NEGATIVE_INFINITY;
  private isTold = false;

  constructor(options: RackNamesOptions) {
    this.options = options;
    this.calls = new BoundedCalls({
      clock: options.clock,
      service: "rack index",
      limitMs: ANSWER_MS,
      effect: EFFECT,
      notice: (message) => options.session.notice(message),
    });
    const { member, clock, session } = options;
    this.wants = new RackWants({
      member,
      clock,
      calls: this.calls,
      store: (digest, handle) => session.store(digest, handle),
    });
  }

  get counts() {
    const { wanted, gone } = this.wants;
    return { ...this.numbers, wanted, gone, timeouts: this.calls.lost };
  }

  /**
   * One byte per digest: 1 = may be sent by name, 0 = send content. In bounded time; never rejects.
   * Calls are answered in order.
   */
  claim(digests: Uint8Array, handles: Uint32Array): Promise<Uint8Array> {
    const before = this.lastAnswer;
    // The caller may write over its digests when it has our answer; the index may come later.
    const asked = this.ask(digests.slice(), handles.slice());
    const answer = before.then(() => asked);
    this.lastAnswer = answer;
    return answer;
  }

  /**
   * Number of the next name, or undefined when too many are unresolved, or the target does not find
   * what is named (send content then).
   */
  hold(digest: Uint8Array, handle: number): number | undefined {
    const isFull = this.held.size >= this.options.heldPages;
    if (this.isClosed || isFull || this.options.clock.now() < this.restUntil) {
      this.numbers.repeated++;
      return undefined;
    }
    const number = this.numbers.named++;
    this.held.set(number, { digest: digest.slice(), handle, isAnswered: false });
    return number;
  }

  /** The target has these. CONNECTION: a number that stands for nothing. */
  resolved(numbers: readonly number[]): void {
    if (this.isClosed) return;
    for (const number of numbers) {
      if (!this.heldName(number).isAnswered) this.found++;
      this.held.delete(number);
    }
  }

  /** The target has not found these: their content is sent. CONNECTION, like `resolved`. */
  missing(numbers: readonly number[]): void {
    if (this.isClosed || numbers.length === 0) return;
    const digests = new Uint8Array(numbers.length * DIGEST_BYTES);
    const handles = new Uint32Array(numbers.length);
    numbers.forEach((number, i) => {
      const name = this.heldName(number);
      if (name.isAnswered) throw new PagefoldError("CONNECTION", `name ${number} is missing twice`);
      name.isAnswered = true;
      digests.set(name.digest, i * DIGEST_BYTES);
      handles[i] = name.handle;
    });
    this.numbers.answered += numbers.length;
    this.judge(numbers.length);
    this.options.session.answer(numbers);
    void this.calls.ask(() => this.options.member.takeOver(digests, handles));
    this.wants.expect();
  }

  /** The target has put these into the store of its rack. */
  stored(digests: Uint8Array): void {
    if (this.isClosed) return;
    const copy = digests.slice();
    this.wants.stored(copy.length / DIGEST_BYTES);
    void this.calls.ask(() => this.options.member.stored(copy));
  }

  /** Leaves the index. Claims that are under way are answered: send content. */
  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    this.held.clear();
    const looked = this.wants.close();
    await this.calls.ask(() => this.options.member.leave());
    this.calls.close();
    await looked;
  }

  /** Names that are answered cost twice: when it is most of them, content is cheaper. */
  private judge(missing: number): void {
    const { clock, session } = this.options;
    this.lost += missing;
    if (this.found + this.lost < JUDGED_NAMES) return;
    const isUseless = this.lost > this.found;
    this.found = 0;
    this.lost = 0;
    if (!isUseless || clock.now() < this.restUntil) return;
    this.restUntil = clock.now() + REST_MS;
    if (this.isTold) return;
    this.isTold = true;
    session.notice(`rack store: the target finds few pages there; ${EFFECT}`);
  }

  private heldName(number: number): Held {
    const name = this.held.get(number);
    if (name) return name;
    throw new PagefoldError("CONNECTION", `name ${number} stands for nothing`);
  }

  private async ask(digests: Uint8Array, handles: Uint32Array): Promise<Uint8Array> {
    const names = new Uint8Array(handles.length);
    if (handles.length === 0 || this.isClosed) return names;
    this.wants.asked();
    if (!this.calls.isOpen) return names;
    this.numbers.asked += handles.length;
    // Wants are noted once, so those of an answer that comes late count as well. What it says of
    // the pages does not matter any more: the content of all of them has been sent.
    const answer = await this.calls.ask(
      () => this.options.member.claim(digests, handles),
      ({ states, wants }) => {
        for (const state of states) if (state !== Claim.OURS) this.numbers.repeated++;
        this.wants.take(wants);
        this.wants.expect();
      },
    );
    if (!answer || this.isClosed) return names;
    const { states, wants } = answer.value;
    for (let i = 0; i < names.length; i++) {
      names[i] = states[i] === Claim.CLAIMED || states[i] === Claim.STORED ? 1 : 0;
    }
    this.wants.take(wants);
    if (names.includes(0)) this.wants.expect();
    return names;
  }
}
