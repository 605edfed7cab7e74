// A connection to Redis as our code sees it: a command is answered in bounded time or fails with
// one line, and closing does not hang.
import type { PagefoldError } from "../core/errors.ts";
import { redisFailure } from "./redisfaults.ts";

export type Argument = string | Buffer;

export type Ask = (args: Argument[]) => Promise<unknown>;

/** What is used of a client, of one server or of a cluster. */
export interface Sender {
  /** `key` says which server of a cluster is asked. */
  send(key: string, args: Argument[]): Promise<unknown>;
  /** For each server that holds keys of its own, how to ask it. */
  servers(): Promise<Ask[]>;
  close(): Promise<unknown>;
  destroy(): void;
}

const CLOSE_MS = 500;

export class RedisLink {
  /** For people. */
  readonly place: string;
  readonly isCluster: boolean;
  private readonly sender: Sender;
  private readonly limitMs: number;
  private isClosed = false;

  constructor(place: string, sender: Sender, isCluster: boolean, limitMs: number) {
    this.place = place;
    this.sender = sender;
    this.isCluster = isCluster;
    this.limitMs = limitMs;
  }

  /** What the server answers, strings of bytes as buffers. CONNECTION, LIMIT when it is full. */
  send(key: string, args: Argument[]): Promise<unknown> {
    return this.bounded(() => this.sender.send(key, args));
  }

  /** How to ask each server by itself, for what is not about a key. */
  async servers(): Promise<Ask[]> {
    const servers = await this.bounded(() => this.sender.servers());
    return servers.map((ask) => (args) => this.bounded(() => ask(args)));
  }

  private async bounded<T>(ask: () => Promise<T>): Promise<T> {
    if (this.isClosed) throw this.failure(new Error("the connection was closed"));
    try {
      return await inTime(ask(), this.limitMs);
    } catch (error) {
      throw this.failure(error);
    }
  }

  private failure(error: unknown): PagefoldError {
    return redisFailure(this.place, error);
  }

  /** The server has answered what it cannot mean. */
  brokenAnswer(what: string): PagefoldError {
    return this.failure(new Error(`it answers ${what} with something else`));
  }

  /** Lets what was asked be answered, for a moment. */
  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    try {
      await inTime(this.sender.close(), CLOSE_MS);
    } catch {
      // It is destroyed anyway.
    }
    try {
      this.sender.destroy();
    } catch {
      // It was closed in order.
    }
  }
}

/** The same, or a rejection when that takes too long. Time stands still for nobody who waits. */
export function inTime<T>(promise: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new Error(`no answer within ${ms} ms`));
    const timer = setTimeout(late, ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
