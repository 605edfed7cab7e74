// One small guest under QEMU: boot, wait, pause, take its memory as a raw image or as an ELF core.
// Its RAM is a file that is shared with QEMU, so a paused guest can be copied like any file.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

const run = promisify(execFile);
/** Under plain emulation a guest needs 20 to 40 s; a stuck one should not take the day. */
const BOOT_LIMIT_MS = 240_000;

/**
 * @typedef {object} GuestOptions
 * @property {string} name
 * @property {number} seed
 * @property {number} memoryMiB
 * @property {string} kernel
 * @property {string} initramfs
 * @property {string} folder for the RAM file, the console and the socket
 */

export class Guest {
  /** @type {import("node:child_process").ChildProcess} */
  #process;
  /** @type {GuestOptions} */
  #options;
  /** @type {import("node:net").Socket | undefined} */
  #socket;
  /** @type {AsyncIterator<string> | undefined} */
  #answers;
  #complaints = "";

  /** @param {GuestOptions} options */
  constructor(options) {
    this.#options = options;
    const { name, seed, memoryMiB, kernel, initramfs, folder } = options;
    // The emulator alone is asked for: it is there on every machine, and as fast on all of them.
    const args = [
      "-nodefaults",
      "-no-user-config",
      "-display",
      "none",
      "-no-reboot",
      "-name",
      name,
    ];
    args.push("-machine", "q35,memory-backend=ram", "-accel", "tcg", "-cpu", "max", "-smp", "1");
    args.push("-m", `${memoryMiB}M`, "-kernel", kernel, "-initrd", initramfs);
    const ram = `memory-backend-file,id=ram,size=${memoryMiB}M,share=on`;
    args.push("-object", `${ram},mem-path=${this.#path("ram")}`);
    // On a busy host the emulated timer comes late, and the kernel would take it for missing.
    const boot = "console=ttyS0 quiet panic=-1 no_timer_check random.trust_cpu=on";
    args.push("-append", `${boot} seed=${seed}`);
    args.push("-serial", `file:${this.#path("console")}`);
    args.push("-qmp", `unix:${join(folder, `${name}.qmp`)},server=on,wait=off`);
    // The kernel ends the guest with this process, however that ends.
    args.unshift("--pdeathsig", "KILL", "qemu-system-x86_64");
    this.#process = spawn("setpriv", args, { stdio: ["ignore", "ignore", "pipe"] });
    this.#process.stderr?.on("data", (text) => {
      this.#complaints += text;
    });
    this.#process.on("error", (error) => {
      this.#complaints += error.message;
    });
  }

  /** @param {string} suffix */
  #path(suffix) {
    return join(this.#options.folder, `${this.#options.name}.${suffix}`);
  }

  /** Resolves when the guest has filled its memory. */
  async ready() {
    const end = Date.now() + BOOT_LIMIT_MS;
    for (;;) {
      const text = await readFile(this.#path("console"), "utf8").catch(() => "");
      if (text.includes("GUEST-READY")) break;
      const ended = this.#process.exitCode !== null || this.#process.pid === undefined;
      if (ended || text.includes("Kernel panic") || Date.now() > end) {
        const tail = text.slice(-1500);
        throw new Error(`${this.#options.name} did not boot: ${this.#complaints}\n${tail}`);
      }
      await sleep(100);
    }
    this.#socket = createConnection(this.#path("qmp"));
    await once(this.#socket, "connect");
    this.#answers = createInterface({ input: this.#socket })[Symbol.asyncIterator]();
    await this.#answers.next();
    await this.#command("qmp_capabilities");
  }

  /**
   * @param {string} execute
   * @param {object} [parameters]
   */
  async #command(execute, parameters = {}) {
    this.#socket?.write(`${JSON.stringify({ execute, arguments: parameters })}\n`);
    for (;;) {
      const line = await this.#answers?.next();
      if (line === undefined || line.done)
        throw new Error(`${execute}: QEMU closed the connection`);
      const answer = JSON.parse(line.value);
      if (answer.error) throw new Error(`${execute}: ${answer.error.desc}`);
      if ("return" in answer) return;
    }
  }

  async pause() {
    await this.#command("stop");
  }

  async resume() {
    await this.#command("cont");
  }

  /**
   * The memory of a paused guest; offsets are guest-physical addresses.
   * @param {string} path
   */
  async saveRaw(path) {
    await run("cp", ["--sparse=always", this.#path("ram"), path]);
  }

  /**
   * The memory of a paused guest as QEMU's own ELF core.
   * @param {string} path
   */
  async saveElf(path) {
    await this.#command("dump-guest-memory", { paging: false, protocol: `file:${path}` });
  }

  async close() {
    this.#socket?.destroy();
    if (this.#process.exitCode !== null || this.#process.pid === undefined) return;
    this.#process.kill("SIGKILL");
    await once(this.#process, "exit");
  }
}
