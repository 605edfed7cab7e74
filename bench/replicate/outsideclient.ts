// The process that asks a guest from outside; see client.ts.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Host } from "../../scripts/vm/link.ts";
import type { ClientReport } from "./client.ts";

const CLIENT = fileURLToPath(new URL("client.ts", import.meta.url));
const TYPES = fileURLToPath(new URL("../../test/support/strip-types.mjs", import.meta.url));

export class OutsideClient {
  readonly #process: ChildProcess;
  readonly #closed: Promise<unknown>;
  #out = "";

  /** Asks until it is closed; from the host where the guest is. Resolves when it has begun. */
  static async open(host: Host): Promise<OutsideClient> {
    const client = new OutsideClient(host);
    const begun = once(client.#process.stdout as NodeJS.ReadableStream, "data");
    await Promise.race([begun, client.#closed]);
    return client;
  }

  private constructor({ namespace }: Host) {
    const inside = ["--pdeathsig", "KILL", "ip", "netns", "exec", namespace];
    const words = [...inside, process.execPath, "--import", TYPES, CLIENT];
    this.#process = spawn("setpriv", words, { stdio: ["ignore", "pipe", "inherit"] });
    this.#process.stdout?.on("data", (text) => {
      this.#out += text;
    });
    this.#closed = once(this.#process, "close");
  }

  async close(): Promise<ClientReport | undefined> {
    this.#process.kill("SIGTERM");
    await this.#closed;
    const [, report] = /^(\{.*)$/m.exec(this.#out) ?? [];
    return report === undefined ? undefined : JSON.parse(report);
  }
}
