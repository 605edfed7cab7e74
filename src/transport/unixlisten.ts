// Listening unix sockets with the right owner from their first moment: the socket is made in a
// directory that only we may enter, gets its mode and group there, and then moves to its place.
// Linux only: the directory is named through /proc, so that long paths fit.
import { once } from "node:events";
import {
  chmod,
  chown,
  type FileHandle,
  link,
  lstat,
  mkdtemp,
  open,
  readFile,
  rename,
  rm,
} from "node:fs/promises";
import { connect, type Server } from "node:net";
import { basename, dirname, join } from "node:path";
import { PagefoldError, reasonOf } from "../core/errors.ts";
import { faultOfSocketPath } from "./address.ts";

export interface SocketAccess {
  /** Permissions of the socket; 0600 by default. Connecting needs the right to write. */
  socketMode?: number;
  /** The group that the socket is given to: a name of /etc/group, or a number. */
  socketGroup?: string;
}

const DEFAULT_MODE = 0o600;

/**
 * Makes `server` listen at `path`. A socket where nobody listens any more is replaced; everything
 * else that stands there is left alone and refused. Resolves to what removes the socket again.
 */
export async function listenUnix(
  server: Server,
  path: string,
  { socketMode = DEFAULT_MODE, socketGroup }: SocketAccess = {},
): Promise<() => Promise<void>> {
  const fault = faultOfSocketPath(path);
  if (fault !== undefined) throw new PagefoldError("USAGE", `unix:${path}: ${fault}`);
  const group = socketGroup === undefined ? undefined : await groupOf(socketGroup);
  const room = await PrivateRoom.open(path);
  try {
    server.listen({ path: room.socketPath });
    await once(server, "listening");
    await chmod(room.madePath, socketMode);
    if (group !== undefined) await giveToGroup(room.madePath, group, `unix:${path}`);
    await clearStale(path, room);
    const { ino } = await lstat(room.madePath);
    await link(room.madePath, path);
    return () => removeSocket(path, ino);
  } catch (error) {
    server.close();
    if (error instanceof PagefoldError) throw error;
    throw new PagefoldError("OUTPUT", `unix:${path}: ${reasonOf(error)}`, { cause: error });
  } finally {
    await room.close();
  }
}

/** A directory beside the socket's place that only we may enter. */
class PrivateRoom {
  readonly directory: string;
  private readonly handle: FileHandle;
  private readonly name: string;

  static async open(path: string): Promise<PrivateRoom> {
    try {
      const directory = await mkdtemp(join(dirname(path), ".pagefold-"));
      return new PrivateRoom(directory, await open(directory));
    } catch (error) {
      throw new PagefoldError("OUTPUT", `unix:${path}: ${reasonOf(error)}`, { cause: error });
    }
  }

  private constructor(directory: string, handle: FileHandle) {
    this.directory = directory;
    this.handle = handle;
    // Not "socket": the runtime removes this path, by a descriptor that may be another directory
    // by then, when the server closes.
    this.name = basename(directory);
  }

  /** For bind: at most 107 bytes, however long the path of the directory is. */
  get socketPath(): string {
    return `/proc/self/fd/${this.handle.fd}/${this.name}`;
  }

  get madePath(): string {
    return join(this.directory, this.name);
  }

  async close(): Promise<void> {
    await this.handle.close();
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** Takes a socket away on which nobody listens; refuses anything else. */
async function clearStale(path: string, room: PrivateRoom): Promise<void> {
  const there = await lstat(path).catch(() => undefined);
  if (!there) return;
  if (!there.isSocket()) {
    throw new PagefoldError("OUTPUT", `unix:${path}: is there already and not a socket`);
  }
  if (await isAnswered(path)) throw taken(path);
  // Another process may have done the same meanwhile: what we take away must be what we asked.
  const away = join(room.directory, "stale");
  await rename(path, away);
  if ((await lstat(away)).ino === there.ino) return;
  await link(away, path);
  throw taken(path);
}

function taken(path: string): PagefoldError {
  return new PagefoldError("LOCKED", `unix:${path}: somebody listens there already`);
}

/** Whether a process listens on a socket; not being allowed to ask counts as yes. */
async function isAnswered(path: string): Promise<boolean> {
  const socket = connect({ path });
  try {
    await once(socket, "connect");
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ECONNREFUSED";
  } finally {
    socket.destroy();
  }
}

async function removeSocket(path: string, ino: number): Promise<void> {
  const there = await lstat(path).catch(() => undefined);
  if (there?.ino === ino) await rm(path, { force: true });
}

interface Group {
  gid: number;
  text: string;
}

async function groupOf(nameOrNumber: string): Promise<Group> {
  if (/^\d+$/.test(nameOrNumber)) return { gid: Number(nameOrNumber), text: nameOrNumber };
  const lines = (await readFile("/etc/group", "utf8")).split("\n");
  const [, , digits] = lines.map((line) => line.split(":")).find(isNamed(nameOrNumber)) ?? [];
  if (digits === undefined) {
    throw new PagefoldError("USAGE", `there is no group ${nameOrNumber} in /etc/group`);
  }
  return { gid: Number(digits), text: `${nameOrNumber} (${digits})` };
}

function isNamed(name: string): (fields: readonly string[]) => boolean {
  return ([first]) => first === name;
}

async function giveToGroup(path: string, { gid, text }: Group, place: string): Promise<void> {
  try {
    await chown(path, -1, gid);
  } catch (error) {
    const reason = reasonOf(error);
    throw new PagefoldError("OUTPUT", `${place}: cannot be given to group ${text}: ${reason}`, {
      cause: error,
    });
  }
}
