// The index of racks in the memory of one process: for tests, for simulation, whose clock it takes,
// and to say in plain words what redisindex.ts does in a script.
import { PagefoldError } from "../core/errors.ts";
import { DIGEST_BYTES } from "../core/page.ts";
import { ENTRY_LIFE_MS, MAX_WANTS, MEMBER_LIFE_MS, WANT_AGAIN_MS } from "./lives.ts";
import {
  Claim,
  type ClaimAnswer,
  type IndexMember,
  type IndexStatus,
  type RackIndex,
  type Wants,
} from "./store.ts";

interface Entry {
  token: number;
  handle: number;
  isStored: boolean;
  madeAt: number;
  /** When its claimer was last told that it is wanted. */
  wantedAt: number;
}

interface Session {
  readonly token: number;
  readonly host: string;
  readonly rack: string;
  seenAt: number;
  wanted: { digest: Uint8Array; handle: number }[];
}

/** What is known of one rack; entries in the order in which they were made. */
type Entries = Map<string, Entry>;

const NEVER = Number.NEGATIVE_INFINITY;

export class MemoryIndex implements RackIndex {
  private readonly clock: { now(): number };
  private readonly racks = new Map<string, Entries>();
  private readonly sessions = new Map<number, Session>();
  private lastToken = 0;
  private readonly counts = { asked: 0, ours: 0, claimed: 0, stored: 0 };

  constructor(clock: { now(): number } = performance) {
    this.clock = clock;
  }

  async join(rack: string, host: string): Promise<IndexMember> {
    const token = ++this.lastToken;
    const session = { token, host, rack, seenAt: this.clock.now(), wanted: [] };
    this.sessions.set(token, session);
    return {
      token,
      claim: async (digests, handles) => this.claim(session, digests, handles),
      wants: async () => takeWants(this.alive(session)),
      stored: async (digests) => {
        for (const [entry] of this.own(session, digests)) entry.isStored = true;
      },
      takeOver: async (digests, handles) => this.takeOver(session, digests, handles),
      release: async (digests) => {
        for (const [entry, name] of this.own(session, digests)) {
          if (!entry.isStored) this.racks.get(rack)?.delete(name);
        }
      },
      leave: async () => {
        this.sessions.delete(token);
      },
    };
  }

  async status(): Promise<IndexStatus> {
    const living = [...this.sessions.keys()].filter((token) => this.isAlive(token));
    const members = living.map((token) => {
      const { host, rack } = this.sessions.get(token) as Session;
      return { host, rack };
    });
    let entries = 0;
    for (const rack of this.racks.keys()) entries += this.entriesOf(rack).size;
    return { members, entries, ...this.counts };
  }

  async close(): Promise<void> {}

  private claim(session: Session, digests: Uint8Array, handles: Uint32Array): ClaimAnswer {
    this.alive(session);
    const entries = this.entriesOf(session.rack);
    const states = new Uint8Array(handles.length);
    for (let i = 0; i < handles.length; i++) {
      const digest = digestAt(digests, i);
      const name = nameOf(digest);
      const entry = entries.get(name);
      const isOurs =
        entry === undefined ||
        (!entry.isStored && (entry.token === session.token || !this.isAlive(entry.token)));
      if (isOurs) {
        this.make(entries, name, session, handles[i]);
        states[i] = Claim.OURS;
      } else if (entry.isStored) {
        states[i] = Claim.STORED;
      } else {
        this.want(entry, digest);
        states[i] = Claim.CLAIMED;
      }
    }
    this.count(states);
    return { states, wants: takeWants(session) };
  }

  private takeOver(session: Session, digests: Uint8Array, handles: Uint32Array): void {
    this.alive(session);
    const entries = this.entriesOf(session.rack);
    for (let i = 0; i < handles.length; i++) {
      this.make(entries, nameOf(digestAt(digests, i)), session, handles[i]);
    }
  }

  private make(entries: Entries, name: string, { token }: Session, handle: number): void {
    // To the end of the map, where the youngest are.
    entries.delete(name);
    const madeAt = this.clock.now();
    entries.set(name, { token, handle, isStored: false, madeAt, wantedAt: NEVER });
  }

  private want(entry: Entry, digest: Uint8Array): void {
    const now = this.clock.now();
    if (now - entry.wantedAt <= WANT_AGAIN_MS) return;
    entry.wantedAt = now;
    const wanted = this.sessions.get(entry.token)?.wanted;
    if (wanted && wanted.length < MAX_WANTS) {
      // A copy even of a Buffer, whose slice() is a view.
      wanted.push({ digest: new Uint8Array(digest), handle: entry.handle });
    }
  }

  /** Entries of these that are still this session's, with their names. */
  private own(session: Session, digests: Uint8Array): [Entry, string][] {
    this.alive(session);
    const entries = this.entriesOf(session.rack);
    const found: [Entry, string][] = [];
    for (let i = 0; i < digests.length / DIGEST_BYTES; i++) {
      const name = nameOf(digestAt(digests, i));
      const entry = entries.get(name);
      if (entry?.token === session.token) found.push([entry, name]);
    }
    return found;
  }

  /** Those that live, of one rack. */
  private entriesOf(rack: string): Entries {
    const entries = this.racks.get(rack) ?? new Map<string, Entry>();
    this.racks.set(rack, entries);
    const oldest = this.clock.now() - ENTRY_LIFE_MS;
    for (const [name, { madeAt }] of entries) {
      if (madeAt > oldest) break;
      entries.delete(name);
    }
    return entries;
  }

  private alive(session: Session): Session {
    if (!this.sessions.has(session.token)) {
      throw new PagefoldError("CONNECTION", `rack index: session ${session.token} has left it`);
    }
    session.seenAt = this.clock.now();
    return session;
  }

  private isAlive(token: number): boolean {
    const seenAt = this.sessions.get(token)?.seenAt ?? NEVER;
    return this.clock.now() - seenAt < MEMBER_LIFE_MS;
  }

  private count(states: Uint8Array): void {
    this.counts.asked += states.length;
    for (const state of states) {
      if (state === Claim.OURS) this.counts.ours++;
      else if (state === Claim.CLAIMED) this.counts.claimed++;
      else this.counts.stored++;
    }
  }
}

function takeWants(session: Session): Wants {
  const { wanted } = session;
  session.wanted = [];
  const digests = new Uint8Array(wanted.length * DIGEST_BYTES);
  for (const [i, { digest }] of wanted.entries()) digests.set(digest, i * DIGEST_BYTES);
  return { digests, handles: Uint32Array.from(wanted, ({ handle }) => handle) };
}

/** The view of one digest of many. */
function digestAt(digests: Uint8Array, i: number): Uint8Array {
  return digests.subarray(i * DIGEST_BYTES, (i + 1) * DIGEST_BYTES);
}

function nameOf(digest: Uint8Array): string {
  return Buffer.from(digest.buffer, digest.byteOffset, digest.length).toString("latin1");
}
