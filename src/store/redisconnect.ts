// A connection to a Redis server, or to all servers of a cluster, over @redis/client: the one file
// that names it, and it is loaded when the first connection is wanted. Every command is answered in
// bounded time. The client connects again by itself; until then commands fail at once.
import { readFile } from "node:fs/promises";
import { PagefoldError } from "../core/errors.ts";
import { redisFailure } from "./redisfaults.ts";
import { inTime, RedisLink, type Sender } from "./redislink.ts";
import { parseRedisUrl, type RedisAddress, type RedisTls } from "./redisurl.ts";

export interface RedisOptions {
  readonly tls?: RedisTls | undefined;
  /** How long connecting may take. Default: 5 s. */
  readonly connectTimeoutMs?: number | undefined;
  /** How long a command may take. Default: 2 s. */
  readonly commandTimeoutMs?: number | undefined;
}

const CONNECT_TIMEOUT_MS = 5000;
const COMMAND_TIMEOUT_MS = 2000;
/** A server that was silent for so long, asked or not, is connected to anew. */
const SILENCE_MS = 10_000;
const PING_MS = 3000;
/** Commands that wait to be written. More of them are refused: the server does not keep up. */
const MAX_WAITING = 16_384;
const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 2000;
type Module = typeof import("@redis/client");
type Socket = Record<string, unknown>;

/** Connects. CONNECTION, INPUT (certificates), USAGE (the address; no client is installed). */
export async function connectRedis(url: string, options: RedisOptions = {}): Promise<RedisLink> {
  const address = parseRedisUrl(url);
  const [redis, files] = await Promise.all([loadClient(), readTls(options.tls ?? {})]);
  const connecting = new Connecting(redis, address, files, options);
  try {
    return await connecting.open();
  } catch (error) {
    throw redisFailure(address.place, error);
  }
}

async function loadClient(): Promise<Module> {
  try {
    return await import("@redis/client");
  } catch (error) {
    const text = "Redis needs the package @redis/client 6: npm install @redis/client@6";
    throw new PagefoldError("USAGE", text, { cause: error });
  }
}

async function readTls({ caFile, certFile, keyFile }: RedisTls): Promise<Socket> {
  const files = { ca: caFile, cert: certFile, key: keyFile };
  const read: Socket = {};
  for (const [name, path] of Object.entries(files)) {
    if (path === undefined) continue;
    read[name] = await readFile(path).catch((error) => {
      throw new PagefoldError("INPUT", `${path}: it cannot be read`, { cause: error });
    });
  }
  return read;
}

/** Connects as often as it takes to know whether it is a cluster. */
class Connecting {
  private readonly redis: Module;
  private readonly address: RedisAddress;
  private readonly options: RedisOptions;
  private readonly socket: Socket;
  /** The first attempt is the only one: whoever waits wants to know. */
  private isOpen = false;

  constructor(redis: Module, address: RedisAddress, tls: Socket, options: RedisOptions) {
    this.redis = redis;
    this.address = address;
    this.options = options;
    const { path, host, port, isTls } = address;
    const connectTimeout = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
    this.socket = {
      ...(path === undefined ? { host, port } : { path }),
      tls: isTls,
      ...(isTls && tls),
      connectTimeout,
      socketTimeout: SILENCE_MS,
      reconnectStrategy: (retries: number) => {
        if (!this.isOpen) return false;
        const wait = Math.min(FIRST_RETRY_MS * 2 ** Math.min(retries, 10), LONGEST_RETRY_MS);
        return wait * (0.75 + Math.random() / 2);
      },
    };
  }

  async open(): Promise<RedisLink> {
    const limitMs = this.options.commandTimeoutMs ?? COMMAND_TIMEOUT_MS;
    const { place } = this.address;
    const single = this.single();
    const alone = new RedisLink(place, single.sender, false, limitMs);
    try {
      await this.within(single.connect());
      const isCluster = await servesCluster(alone);
      if (!isCluster) {
        this.isOpen = true;
        return alone;
      }
    } catch (error) {
      await alone.close();
      throw error;
    }
    await alone.close();
    const cluster = this.cluster();
    const link = new RedisLink(place, cluster.sender, true, limitMs);
    try {
      await this.within(cluster.connect());
    } catch (error) {
      await link.close();
      throw error;
    }
    this.isOpen = true;
    return link;
  }

  /** A server may take the connection and never say a word. */
  private within<T>(connected: Promise<T>): Promise<T> {
    const ms = this.options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
    return inTime(connected, ms);
  }

  /** What both kinds of client take. */
  private common() {
    const { user, password } = this.address;
    return {
      ...(user !== undefined && { username: user }),
      ...(password !== undefined && { password }),
      socket: this.socket as never,
      disableOfflineQueue: true,
      commandsQueueMaxLength: MAX_WAITING,
      pingInterval: PING_MS,
      disableClientInfo: true,
      maintNotifications: "disabled" as const,
    };
  }

  private single() {
    const { createClient } = this.redis;
    const { database } = this.address;
    const client = createClient({ ...this.common(), RESP: 2, ...(database > 0 && { database }) });
    const options = this.commandOptions();
    // Without a listener an error ends the process; commands tell of it themselves.
    client.on("error", () => undefined);
    const sender: Sender = {
      send: (_, args) => client.sendCommand(args, options),
      servers: async () => [(args) => client.sendCommand(args, options)],
      close: () => client.close(),
      destroy: () => client.destroy(),
    };
    return { sender, connect: () => client.connect() };
  }

  private cluster() {
    const { createCluster } = this.redis;
    const { host: _, port: __, path: ___, ...socket } = this.socket;
    const defaults = { ...this.common(), socket: socket as never };
    const root = { ...this.common(), socket: this.socket as never };
    const cluster = createCluster({ rootNodes: [root], defaults, RESP: 2 });
    const options = this.commandOptions();
    cluster.on("error", () => undefined);
    const sender: Sender = {
      send: (key, args) => cluster.sendCommand(key, false, args, options),
      servers: async () => {
        const clients = await Promise.all(cluster.masters.map((node) => cluster.nodeClient(node)));
        return clients.map((client) => (args) => client.sendCommand(args, options));
      },
      close: () => cluster.close(),
      destroy: () => cluster.destroy(),
    };
    return { sender, connect: () => cluster.connect() };
  }

  /** Answers are bytes. */
  private commandOptions() {
    const { RESP_TYPES } = this.redis;
    return { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } };
  }
}

async function servesCluster(link: RedisLink): Promise<boolean> {
  try {
    return /cluster_enabled:1/.test(String(await link.send("", ["INFO", "cluster"])));
  } catch (error) {
    // Who may not ask has been given one server.
    if (/NOPERM/.test(String((error as Error).message))) return false;
    throw error;
  }
}
