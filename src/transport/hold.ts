// Keeps a socket open beyond the life of this process. A QEMU whose migration has been released but
// not answered resumes its guest when the socket closes: while nobody knows whether the target
// runs, it must stay open, even if we are killed. A small shell holds it, for as long as it takes.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";
import { PagefoldError, reasonOf } from "../core/errors.ts";

/**
 * It ends when its stdin does, unless it was told to keep: then it goes on until it is told
 * something else, and says what it does when there is nobody to tell. Whoever would have read that
 * may be gone with us, which must not end it; and from then on it keeps nobody waiting for more.
 */
const SCRIPT =
  'trap "" HUP INT PIPE; read -r word && [ "$word" = keep ] || exit 0; read -r _ && exit 0; ' +
  'echo "$1 (held by process $$)" >&2; exec sleep 2147483647 2>/dev/null';

export class HeldSocket {
  private readonly child: ChildProcess;

  /** `lastWords` is what it says when it is left alone. */
  static async open(socket: Socket, lastWords: string): Promise<HeldSocket> {
    const child = spawn("/bin/sh", ["-c", SCRIPT, "pagefold-hold", lastWords], {
      stdio: ["pipe", "ignore", "inherit", socket],
      detached: true,
    });
    child.stdin?.on("error", () => undefined);
    try {
      await once(child, "spawn");
    } catch (error) {
      throw new PagefoldError("PROCESS", `/bin/sh: ${reasonOf(error)}`, { cause: error });
    }
    return new HeldSocket(child);
  }

  private constructor(child: ChildProcess) {
    this.child = child;
    child.unref();
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** From now on the socket stays open until `release`. Resolves when that is certain. */
  async keep(): Promise<void> {
    await this.say("keep\n");
  }

  /** The socket is as open as this process keeps it. Resolves when the shell is gone. */
  async release(): Promise<void> {
    const { child } = this;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.stdin?.end("done\n");
    await gone;
  }

  /** Leaves it alone: it keeps the socket, and says so. */
  abandon(): void {
    this.child.stdin?.destroy();
  }

  private say(line: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.child.stdin?.write(line, (error) => (error ? reject(error) : resolve()));
    });
  }
}
