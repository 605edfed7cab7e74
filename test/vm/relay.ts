// Stands between the tunnel and a QEMU that waits for a guest: takes the whole stream, and can hold
// it back, so that the tunnel has handed a guest over and hears nothing more of it.
import { once } from "node:events";
import { rename } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const LOOK_MS = 100;

export class Relay {
  #server: Server;
  #held: Buffer[] = [];
  #isHolding = false;
  #hasEnded = false;
  #takenBytes = 0;
  #qemu: Socket | undefined;

  /** Takes the place of the socket at `path`, on which QEMU listens. */
  static async open(path: string): Promise<Relay> {
    const aside = `${path}.qemu`;
    await rename(path, aside);
    const relay = new Relay(aside);
    relay.#server.listen(path);
    await once(relay.#server, "listening");
    return relay;
  }

  private constructor(path: string) {
    this.#server = createServer({ allowHalfOpen: true }, (tunnel) => {
      const qemu = connect({ path, allowHalfOpen: true });
      this.#qemu = qemu;
      tunnel.on("data", (bytes) => this.#take(bytes));
      tunnel.on("end", () => this.#take(undefined));
      // Whoever is killed does not say goodbye.
      for (const socket of [tunnel, qemu]) socket.on("error", () => undefined);
      qemu.pipe(tunnel);
    });
  }

  /** From now on it takes and gives nothing. */
  hold(): void {
    this.#isHolding = true;
  }

  /** Gives what it has held back, and goes on. */
  release(): void {
    this.#isHolding = false;
    for (const bytes of this.#held.splice(0)) this.#qemu?.write(bytes);
    if (this.#hasEnded) this.#qemu?.end();
  }

  /** Resolves when nothing has come for so long. */
  async quiet(quietMs: number): Promise<void> {
    let seen = -1;
    for (let since = 0; since < quietMs; since += LOOK_MS) {
      if (this.#takenBytes !== seen) since = 0;
      seen = this.#takenBytes;
      await sleep(LOOK_MS);
    }
  }

  close(): void {
    this.#server.close();
    this.#qemu?.destroy();
  }

  #take(bytes: Buffer | undefined): void {
    this.#takenBytes += bytes?.length ?? 0;
    this.#hasEnded ||= bytes === undefined;
    if (this.#isHolding) {
      if (bytes) this.#held.push(bytes);
    } else if (bytes) this.#qemu?.write(bytes);
    else this.#qemu?.end();
  }
}
