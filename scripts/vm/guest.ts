// One QEMU with a small guest: boot or await a migration, pause, ask, take the memory as an image.
// Its RAM is a file that is shared with QEMU, so a paused guest can be read like any file. The same
// guest at another host is another object of this class: see `arrival`.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, rm } from "node:fs/promises";
import { createConnection } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { openQmp, type Qmp } from "../../src/qemu/qmp.ts";

const run = promisify(execFile);
/** Under plain emulation a guest needs 20 to 40 s; a stuck one should not take the day. */
const BOOT_LIMIT_MS = 240_000;
/** A client that starts in a guest under emulation on a busy host takes seconds. */
const ANSWER_LIMIT_MS = 30_000;
const STATUS_LIMIT_MS = 5000;
const DAMAGE = /panic|Oops|BUG:|Call Trace|Traceback|segfault/;

export interface GuestOptions {
  name: string;
  seed: number;
  memoryKiB: number;
  kernel: string;
  initramfs: string;
  /** For the console and the sockets. */
  folder: string;
  /** For the RAM file; post-copy asks for a tmpfs. Default: `folder`. */
  ramFolder?: string;
  /** More words for the kernel command line. */
  bootWords?: string;
  /** A disk that guests share. */
  disk?: string;
  /** A network behind the card `net0`: a netdev of QEMU without its id, like "user". */
  netdev?: string;
  /** Default: the one that is installed. */
  qemu?: string;
  /** The network namespace to run in. */
  namespace?: string;
  /** Waits for a migration; then it starts itself or stays paused until its RAM is compared. */
  incoming?: "starts" | "stays paused";
  /** Tells the processes of a guest apart that has moved. */
  generation?: number;
}

export class Guest {
  readonly options: GuestOptions;
  #process: ChildProcess;
  #qmp: Qmp | undefined;
  #complaints = "";
  #questions = 0;

  constructor(options: GuestOptions) {
    this.options = options;
    // The kernel ends the guest with this process, however that ends.
    const words = ["--pdeathsig", "KILL"];
    if (options.namespace) words.push("ip", "netns", "exec", options.namespace);
    words.push(options.qemu ?? "qemu-system-x86_64", ...this.#words());
    this.#process = spawn("setpriv", words, { stdio: ["ignore", "ignore", "pipe"] });
    this.#process.stderr?.on("data", (text) => {
      this.#complaints += text;
    });
    this.#process.on("error", (error) => {
      this.#complaints += error.message;
    });
  }

  get name(): string {
    return this.options.name;
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get isRunning(): boolean {
    const { exitCode, signalCode, pid } = this.#process;
    return pid !== undefined && exitCode === null && signalCode === null;
  }

  get ramPath(): string {
    return join(this.options.ramFolder ?? this.options.folder, `${this.fileName}.ram`);
  }

  get qmp(): Qmp {
    if (!this.#qmp) throw new Error(`${this.name}: not connected to its QEMU yet`);
    return this.#qmp;
  }

  /** A QEMU for the same guest that waits for it at another place. */
  arrival(place: Partial<GuestOptions> & Pick<GuestOptions, "incoming">): Guest {
    const generation = (this.options.generation ?? 0) + 1;
    return new Guest({ ...this.options, generation, ...place });
  }

  /** Resolves when the guest says that it has filled its memory. */
  async ready(): Promise<void> {
    const end = Date.now() + BOOT_LIMIT_MS;
    for (;;) {
      const text = await this.console();
      if (text.includes("GUEST-READY")) break;
      if (!this.isRunning || DAMAGE.test(text) || Date.now() > end) {
        throw new Error(`${this.name} did not boot: ${this.#complaints}\n${text.slice(-1500)}`);
      }
      await sleep(100);
    }
    await this.connect();
  }

  /** Resolves when QEMU takes commands, whatever the guest does. */
  async connect(): Promise<void> {
    const end = Date.now() + BOOT_LIMIT_MS;
    while (!this.#qmp) {
      this.#qmp = await openQmp(this.qmpPath, { timeoutMs: BOOT_LIMIT_MS }).catch(() => undefined);
      if (this.#qmp) return;
      if (!this.isRunning || Date.now() > end) {
        throw new Error(`${this.name}: QEMU did not start: ${this.#complaints}`);
      }
      await sleep(20);
    }
  }

  /** Leaves the monitor, which serves one client at a time, to others; `connect` takes it again. */
  leaveMonitor(): void {
    this.#qmp?.close();
    this.#qmp = undefined;
  }

  get qmpPath(): string {
    return this.#path("qmp");
  }

  async pause(): Promise<void> {
    await this.qmp.execute("stop");
  }

  async resume(): Promise<void> {
    await this.qmp.execute("cont");
  }

  /** "running", "paused", "inmigrate", "postmigrate", … */
  async status(): Promise<string> {
    const { status } = await this.qmp.execute<{ status: string }>("query-status");
    return status;
  }

  /** Whether the guest goes on in this QEMU: not in one that is stopped or has ended. */
  async runs(): Promise<boolean> {
    if (!this.isRunning || !this.#qmp) return false;
    const wait = { timeoutMs: STATUS_LIMIT_MS };
    const answer = this.qmp.execute<{ status: string }>("query-status", undefined, wait);
    return (await answer.catch(() => undefined))?.status === "running";
  }

  /** What the guest has written to its console in this QEMU. */
  async console(): Promise<string> {
    return readFile(this.#path("console"), "utf8").catch(() => "");
  }

  /** Asks the guest's service with the service's own client; the answer of a sound one is fixed. */
  async ask(): Promise<string> {
    const socket = createConnection(this.#path("ask"));
    try {
      const lines = createInterface({ input: socket });
      const number = `${this.options.generation ?? 0}.${++this.#questions}`;
      socket.write(`${number}\n`);
      const signal = AbortSignal.timeout(ANSWER_LIMIT_MS);
      for (;;) {
        const [line] = (await once(lines, "line", { signal })) as [string];
        const [, answer] = line.split(`${number} `);
        if (answer !== undefined) return answer.trim();
      }
    } catch (error) {
      throw new Error(`${this.name} does not answer: ${(await this.console()).slice(-1500)}`, {
        cause: error,
      });
    } finally {
      socket.destroy();
    }
  }

  /**
   * Resolves when the guest has beaten once more on its console and its service has answered;
   * throws when it found damage.
   */
  async expectAlive(): Promise<void> {
    const beats = (text: string) => text.match(/GUEST-BEAT .*faults=\d+/g) ?? [];
    const before = beats(await this.console()).length;
    const end = Date.now() + ANSWER_LIMIT_MS;
    for (;;) {
      const text = await this.console();
      const last = beats(text).at(-1) ?? "";
      const isFaulty = last !== "" && !last.endsWith("faults=0");
      if (isFaulty || DAMAGE.test(text) || !this.isRunning || Date.now() > end) {
        throw new Error(`${this.name} is not well: ${this.#complaints}\n${text.slice(-1500)}`);
      }
      if (beats(text).length > before) break;
      await sleep(50);
    }
    const answer = await this.ask();
    if (answer !== "served") throw new Error(`${this.name} answers "${answer}"`);
  }

  /** The memory of a paused guest; offsets are guest-physical addresses. */
  async saveRaw(path: string): Promise<void> {
    await run("cp", ["--sparse=always", this.ramPath, path]);
  }

  /** The memory of a paused guest as QEMU's own ELF core. */
  async saveElf(path: string): Promise<void> {
    await this.qmp.execute("dump-guest-memory", { paging: false, protocol: `file:${path}` });
  }

  /** Ends QEMU as a crash would. */
  async kill(): Promise<void> {
    if (!this.isRunning) return;
    this.#process.kill("SIGKILL");
    await once(this.#process, "exit");
  }

  /** Ends QEMU at once, and removes the RAM file. */
  async close(): Promise<void> {
    this.#qmp?.close();
    await this.kill();
    await rm(this.ramPath, { force: true });
  }

  /** What the names of its files begin with. */
  get fileName(): string {
    return `${this.name}-${this.options.generation ?? 0}`;
  }

  #path(suffix: string): string {
    return join(this.options.folder, `${this.fileName}.${suffix}`);
  }

  /** The command line of QEMU. */
  #words(): string[] {
    const { name, seed, memoryKiB, kernel, initramfs, bootWords } = this.options;
    const { disk, netdev, incoming } = this.options;
    const words = ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"];
    words.push("-name", name, "-machine", "q35,memory-backend=ram", "-smp", "1");
    // The emulator alone is asked for: it is there on every machine, and as fast on all of them.
    words.push("-accel", "tcg,tb-size=256", "-cpu", "max", "-m", `${memoryKiB}K`);
    const ram = `memory-backend-file,id=ram,size=${memoryKiB}K,share=on`;
    words.push("-object", `${ram},mem-path=${this.ramPath}`);
    words.push("-kernel", kernel, "-initrd", initramfs);
    // On a busy host the emulated timer comes late, and the kernel would take it for missing.
    const boot = "console=ttyS0 quiet panic=-1 no_timer_check random.trust_cpu=on";
    words.push("-append", [boot, `seed=${seed}`, bootWords ?? ""].join(" "));
    if (disk) {
      words.push("-drive", `file=${disk},format=raw,if=none,id=disk,readonly=on`);
      words.push("-device", "virtio-blk-pci,drive=disk");
    }
    if (netdev) {
      words.push("-netdev", `${netdev},id=net0`);
      words.push("-device", "virtio-net-pci,netdev=net0,romfile=");
    }
    words.push("-serial", `file:${this.#path("console")}`);
    words.push("-serial", `unix:${this.#path("ask")},server=on,wait=off`);
    words.push("-qmp", `unix:${this.#path("qmp")},server=on,wait=off`);
    if (incoming) words.push("-incoming", "defer");
    if (incoming === "stays paused") words.push("-S");
    return words;
  }
}
