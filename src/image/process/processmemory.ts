// The memory of a running process, read through /proc/PID/mem. It says what cannot be read and
// which pages were never touched; what becomes of either is decided elsewhere.
import { read } from "node:fs";
import { type FileHandle, open, readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { PagefoldError, reasonOf } from "../../core/errors.ts";
import { PAGE_BYTES, pagesFor } from "../../core/page.ts";
import { type Mapping, parseMaps } from "./maps.ts";
import { explainRefusal, type ProcessStat, processGone, readStat } from "./process.ts";

const ENTRY_BYTES = 8;
/** Entries of pagemap read at once: 32 MiB of address space. */
const WINDOW_PAGES = 8192;
/** In the high word of an entry: bit 63, the page is in memory; bit 62, it is in swap. */
const POPULATED = 0xc0000000;

const readFd = promisify(read);

export interface ReadResult {
  /** Bytes that were read, from the start; fewer than asked only before an unreadable page. */
  readonly byteLength: number;
  /** Why the byte after them cannot be read. */
  readonly reason?: string;
}

/**
 * Opened once: the kernel checks the permission then, and the descriptor stays with this address
 * space even if the pid goes to another process.
 */
export class ProcessMemory {
  readonly stat: ProcessStat;
  private readonly memory: FileHandle;
  /** Absent where the kernel does not have it or does not let us. */
  private readonly pagemap: FileHandle | undefined;
  private readonly window = new Uint32Array(WINDOW_PAGES * 2);
  private windowPage = -1;

  private constructor(stat: ProcessStat, memory: FileHandle, pagemap: FileHandle | undefined) {
    this.stat = stat;
    this.memory = memory;
    this.pagemap = pagemap;
  }

  /** Throws PROCESS when there is no such process or memory, or when the kernel refuses it. */
  static async open(pid: number): Promise<ProcessMemory> {
    const stat = await readStat(pid);
    if (stat.isKernelThread) {
      const what = "is a kernel thread and has no memory of its own";
      throw new PagefoldError("PROCESS", `process ${pid} (${stat.name}) ${what}`);
    }
    if ("ZX".includes(stat.state)) {
      throw new PagefoldError("PROCESS", `process ${pid} (${stat.name}) has already ended`);
    }
    try {
      const memory = await open(`/proc/${pid}/mem`, "r");
      return new ProcessMemory(
        stat,
        memory,
        await open(`/proc/${pid}/pagemap`).catch(() => undefined),
      );
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT" || code === "ESRCH") throw processGone(pid);
      if (code === "EACCES" || code === "EPERM") throw await explainRefusal(stat, error);
      const message = `cannot open the memory of process ${pid}: ${reasonOf(error)}`;
      throw new PagefoldError("PROCESS", message, { cause: error });
    }
  }

  /** All mappings, by address. */
  async mappings(): Promise<Mapping[]> {
    const { pid } = this.stat;
    let mappings: Mapping[];
    try {
      // Not every kernel is built with smaps; all have maps.
      const smaps = await readFile(`/proc/${pid}/smaps`, "utf8").catch(() => undefined);
      mappings = parseMaps(smaps ?? (await readFile(`/proc/${pid}/maps`, "utf8")));
    } catch (error) {
      if (error instanceof PagefoldError) throw error;
      throw await this.failed(error);
    }
    if (mappings.length === 0) throw this.ended();
    return mappings;
  }

  /** Reads from `address` on, up to the first page that cannot be read. */
  async read(address: bigint, into: Uint8Array): Promise<ReadResult> {
    for (let at = 0; at < into.length; ) {
      try {
        const position = address + BigInt(at);
        const { bytesRead } = await readFd(this.memory.fd, { buffer: into, offset: at, position });
        // Unreadable is an error; nothing at all means that the address space is gone.
        if (bytesRead === 0) throw this.ended();
        at += bytesRead;
      } catch (error) {
        if (error instanceof PagefoldError) throw error;
        return { byteLength: at, reason: reasonOf(error) };
      }
    }
    return { byteLength: into.length };
  }

  /**
   * The bytes [start, end) after `address` that hold all touched pages of the `byteLength` bytes
   * there; undefined when none was touched. Without a pagemap, all may have been.
   */
  async touched(
    address: bigint,
    byteLength: number,
  ): Promise<{ start: number; end: number } | undefined> {
    const everything = { start: 0, end: byteLength };
    const firstPage = Number(address / BigInt(PAGE_BYTES));
    const pages = pagesFor(byteLength);
    if (!(await this.loadWindow(firstPage, pages))) return everything;
    const base = firstPage - this.windowPage;
    let first = 0;
    while (first < pages && !this.isPopulated(base + first)) first++;
    if (first === pages) return undefined;
    let last = pages - 1;
    while (!this.isPopulated(base + last)) last--;
    return { start: first * PAGE_BYTES, end: Math.min((last + 1) * PAGE_BYTES, byteLength) };
  }

  private isPopulated(entry: number): boolean {
    return (this.window[entry * 2 + 1] & POPULATED) !== 0;
  }

  /** False when the kernel does not tell; an entry it leaves out counts as untouched. */
  private async loadWindow(firstPage: number, pages: number): Promise<boolean> {
    if (this.pagemap === undefined || pages > WINDOW_PAGES) return false;
    const end = this.windowPage + WINDOW_PAGES;
    if (this.windowPage >= 0 && firstPage >= this.windowPage && firstPage + pages <= end)
      return true;
    this.windowPage = -1;
    this.window.fill(0);
    const bytes = new Uint8Array(this.window.buffer);
    const position = BigInt(firstPage) * BigInt(ENTRY_BYTES);
    try {
      const { bytesRead } = await readFd(this.pagemap.fd, { buffer: bytes, position });
      if (bytesRead === 0) throw this.ended();
    } catch (error) {
      if (error instanceof PagefoldError) throw error;
      return false;
    }
    this.windowPage = firstPage;
    return true;
  }

  async close(): Promise<void> {
    await this.memory.close();
    await this.pagemap?.close();
  }

  private ended(): PagefoldError {
    const { pid, name } = this.stat;
    const message = `process ${pid} (${name}) ended, or became another program, while it was read`;
    return new PagefoldError("PROCESS", message);
  }

  private async failed(error: unknown): Promise<PagefoldError> {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH") return this.ended();
    if (code === "EACCES" || code === "EPERM") return explainRefusal(this.stat, error);
    const message = `process ${this.stat.pid}: ${reasonOf(error)}`;
    return new PagefoldError("PROCESS", message, { cause: error });
  }
}
