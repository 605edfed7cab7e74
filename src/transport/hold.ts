// Keeps a socket open beyond the life of this process. A QEMU whose migration has been released but
// not answered resumes its guest when the socket closes: while nobody knows whether the target
// runs, it must stay open, even if we are killed. A small shell holds it, for as long as it takes.
import type { ChildProcess } from "node:child_process";
import type { Socket } from "node:net";
import { endHolder, startHolder } from "./holder.ts";

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
    const words = ["-c", SCRIPT, "pagefold-hold", lastWords];
    return new HeldSocket(await startHolder(socket, words, "inherit"));
  }

  private constructor(child: ChildProcess) {
    this.child = child;
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
    await endHolder(this.child);
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
