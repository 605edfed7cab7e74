// Sees to it that the stream of a snapshot is read to its end, whatever becomes of us. QEMU (7.2 at
// least) that cannot write a background snapshot any more, or is told to cancel it, leaves the
// memory write-protected with nobody to lift that: the guest hangs at its next write, for ever.
import type { ChildProcess } from "node:child_process";
import type { Socket } from "node:net";
import { endHolder, startHolder } from "../transport/holder.ts";

/** Ends with a word; without one we have died, and the rest of the stream is read and forgotten. */
const SCRIPT = 'trap "" HUP INT PIPE; read -r _ && exit 0; exec "$1" -e "$2"';
/** A shell's own tools stop at a socket that does not block, which ours is. */
const DRAIN =
  'const s = new (require("net").Socket)({ fd: 3, readable: true, writable: false });' +
  's.on("error", () => {}); s.resume();';

export class DrainGuard {
  private readonly child: ChildProcess;

  /** Holds the socket too, from now on until `close`. */
  static async open(socket: Socket): Promise<DrainGuard> {
    const words = ["-c", SCRIPT, "pagefold-drain", process.execPath, DRAIN];
    return new DrainGuard(await startHolder(socket, words, "ignore"));
  }

  private constructor(child: ChildProcess) {
    this.child = child;
  }

  /** The stream has ended. Resolves when nobody holds its socket but us. */
  async close(): Promise<void> {
    await endHolder(this.child);
  }
}
