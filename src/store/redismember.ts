// A session of a source host in a rack index that Redis keeps: batches out, answers checked and put
// back into the order of what was asked.
import { createHash } from "node:crypto";
import { PagefoldError } from "../core/errors.ts";
import { DIGEST_BYTES } from "../core/page.ts";
import { batchesOf, type IndexBatch } from "./indexbatch.ts";
import { type IndexKeys, RACKS_KEY } from "./indexkeys.ts";
import { CLAIM_SCRIPT, MARK_SCRIPT, WANT_BYTES } from "./indexscript.ts";
import { RACK_LIFE_MS } from "./lives.ts";
import type { Argument, RedisLink } from "./redislink.ts";
import { Claim, type ClaimAnswer, type IndexMember, type Wants } from "./store.ts";

interface Script {
  readonly text: string;
  readonly sha: string;
}

function scriptOf(text: string): Script {
  return { text, sha: createHash("sha1").update(text).digest("hex") };
}
const CLAIM = scriptOf(CLAIM_SCRIPT);
const MARK = scriptOf(MARK_SCRIPT);

const NOTHING = new Uint8Array(0);

/** What a script answers. */
interface Answer {
  readonly states: Buffer;
  readonly wants: Buffer;
}

export class RedisMember implements IndexMember {
  readonly token: number;
  private readonly link: RedisLink;
  private readonly keys: IndexKeys;
  private readonly host: string;
  private readonly entryLifeMs: string;
  private readonly tokenBytes = Buffer.alloc(4);
  private hasLeft = false;

  constructor(
    link: RedisLink,
    keys: IndexKeys,
    token: number,
    { host, entryLifeMs }: { host: string; entryLifeMs: number },
  ) {
    this.link = link;
    this.keys = keys;
    this.token = token;
    this.host = host;
    this.entryLifeMs = String(entryLifeMs);
    this.tokenBytes.writeUInt32LE(token);
  }

  async claim(digests: Uint8Array, handles: Uint32Array): Promise<ClaimAnswer> {
    const states = new Uint8Array(handles.length);
    const wants: Buffer[] = [];
    const batches = batchesOf(digests, { token: this.token, handles }, this.keys.shards);
    const ask = async (batch: IndexBatch) => {
      const answer = await this.run(CLAIM, batch.shard, batch);
      if (answer.states.length !== batch.places.length) throw this.link.brokenAnswer("a claim");
      for (let n = 0; n < batch.places.length; n++) {
        const state = answer.states[n];
        if (state < Claim.OURS || state > Claim.STORED) throw this.link.brokenAnswer("a claim");
        states[batch.places[n]] = state;
      }
      wants.push(answer.wants);
    };
    await Promise.all(batches.map(ask));
    return { states, wants: parseWants(wants) };
  }

  async wants(): Promise<Wants> {
    const shards = Array.from({ length: this.keys.shards }, (_, shard) => shard);
    const answers = await Promise.all(shards.map((shard) => this.run(CLAIM, shard)));
    return parseWants(answers.map(({ wants }) => wants));
  }

  stored(digests: Uint8Array): Promise<void> {
    return this.mark("stored", digests);
  }

  takeOver(digests: Uint8Array, handles: Uint32Array): Promise<void> {
    return this.mark("takeOver", digests, handles);
  }

  release(digests: Uint8Array): Promise<void> {
    return this.mark("release", digests);
  }

  async leave(): Promise<void> {
    if (this.hasLeft) return;
    this.hasLeft = true;
    const { keys, token } = this;
    const leaveShard = async (shard: number) => {
      const [live, members] = [keys.live(shard, token), keys.members(shard)];
      await Promise.all([
        this.link.send(live, ["DEL", live, keys.wants(shard, token)]),
        this.link.send(members, ["HDEL", members, String(token)]),
      ]);
    };
    await Promise.all(Array.from({ length: keys.shards }, (_, shard) => leaveShard(shard)));
  }

  private async mark(mark: string, digests: Uint8Array, handles?: Uint32Array): Promise<void> {
    const batches = batchesOf(digests, { token: this.token, handles }, this.keys.shards);
    await Promise.all(batches.map((batch) => this.run(MARK, batch.shard, batch, [mark])));
  }

  private async run(
    script: Script,
    shard: number,
    batch?: IndexBatch,
    more: readonly string[] = [],
  ): Promise<Answer> {
    if (this.hasLeft) {
      throw new PagefoldError("CONNECTION", `rack index: session ${this.token} has left it`);
    }
    const { keys, token } = this;
    const names = [
      keys.live(shard, token),
      keys.wants(shard, token),
      keys.counters(shard),
      keys.members(shard),
      ...(batch?.buckets ?? []).map((bucket) => keys.bucket(shard, bucket)),
    ];
    const args = [
      keys.prefix(shard),
      this.tokenBytes,
      String(token),
      this.host,
      batch?.items ?? "",
      batch?.sizes ?? "",
      this.entryLifeMs,
      ...more,
    ];
    const answer = await this.evaluate(script, names, args);
    if (!Array.isArray(answer) || answer.length !== 3) throw this.link.brokenAnswer("a script");
    const [states, wants, isNew] = answer;
    const areBytes = Buffer.isBuffer(states) && Buffer.isBuffer(wants);
    if (!areBytes || wants.length % WANT_BYTES !== 0) throw this.link.brokenAnswer("a script");
    // The server did not know of us: it has just been found, was emptied, or has thought us dead.
    if (isNew === 1 && shard === 0) await this.tellRack();
    return { states, wants };
  }

  private async evaluate(script: Script, names: string[], args: Argument[]): Promise<unknown> {
    const rest = [String(names.length), ...names, ...args];
    try {
      return await this.link.send(names[0], ["EVALSHA", script.sha, ...rest]);
    } catch (error) {
      if (!(error instanceof PagefoldError && /\bNOSCRIPT\b/.test(error.message))) throw error;
      return this.link.send(names[0], ["EVAL", script.text, ...rest]);
    }
  }

  /** So that a status finds it. */
  private async tellRack(): Promise<void> {
    await Promise.all([
      this.link.send(RACKS_KEY, ["SADD", RACKS_KEY, this.keys.rackId]),
      this.link.send(RACKS_KEY, ["PEXPIRE", RACKS_KEY, String(RACK_LIFE_MS)]),
    ]);
  }
}

function parseWants(parts: readonly Buffer[]): Wants {
  const bytes = parts.length === 1 ? parts[0] : Buffer.concat(parts);
  const count = bytes.length / WANT_BYTES;
  if (count === 0) return { digests: NOTHING, handles: new Uint32Array(0) };
  const digests = new Uint8Array(count * DIGEST_BYTES);
  const handles = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const at = i * WANT_BYTES;
    digests.set(bytes.subarray(at, at + DIGEST_BYTES), i * DIGEST_BYTES);
    handles[i] = bytes.readUInt32LE(at + DIGEST_BYTES);
  }
  return { digests, handles };
}
