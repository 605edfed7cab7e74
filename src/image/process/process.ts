// What /proc tells about a process and its threads, and why the kernel refuses more. It neither
// touches the process nor reads its memory.
import { readdir, readFile } from "node:fs/promises";
import { PagefoldError, reasonOf } from "../../core/errors.ts";

/** The fields of /proc/PID/stat that are used; times are in ticks of 10 ms. */
export interface ProcessStat {
  readonly pid: number;
  readonly name: string;
  /** One letter: R, S, D, T (stopped), t (stopped by a tracer), Z (ended), X. */
  readonly state: string;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  readonly isKernelThread: boolean;
  /** utime, stime, cutime, cstime */
  readonly ticks: readonly number[];
  readonly nice: number;
}

const PF_KTHREAD = 0x00200000;

/** The name may contain spaces and parentheses; it ends at the last closing one. */
export function parseStat(text: string): ProcessStat {
  const open = text.indexOf("(");
  const close = text.lastIndexOf(")");
  const [state, ...rest] = text.slice(close + 2).split(" ");
  const numbers = rest.map(Number);
  return {
    pid: Number.parseInt(text, 10),
    name: text.slice(open + 1, close),
    state,
    parent: numbers[0],
    group: numbers[1],
    session: numbers[2],
    isKernelThread: (numbers[5] & PF_KTHREAD) !== 0,
    ticks: numbers.slice(10, 14),
    nice: numbers[15],
  };
}

/** The state of a process, or of one of its threads. Throws PROCESS when it is gone. */
export async function readStat(pid: number, thread?: number): Promise<ProcessStat> {
  const folder = thread === undefined ? `/proc/${pid}` : `/proc/${pid}/task/${thread}`;
  try {
    return parseStat(await readFile(`${folder}/stat`, "utf8"));
  } catch (error) {
    throw goneOr(pid, error);
  }
}

/** The threads of a process, the first one first. */
export async function threadIds(pid: number): Promise<number[]> {
  try {
    const ids = (await readdir(`/proc/${pid}/task`)).map(Number).sort((a, b) => a - b);
    // After the pid counter has wrapped, the first thread need not have the smallest id.
    return [pid, ...ids.filter((id) => id !== pid)];
  } catch (error) {
    throw goneOr(pid, error);
  }
}

/** Whether every thread is stopped, so that nothing of the memory changes from inside. */
export async function isStopped(pid: number): Promise<boolean> {
  for (const thread of await threadIds(pid)) {
    const stat = await readStat(pid, thread).catch(() => undefined);
    if (stat !== undefined && !"TtZX".includes(stat.state)) return false;
  }
  return true;
}

/** Whether `pid` is this process or one that it descends from. */
export async function isSelfOrAncestor(pid: number): Promise<boolean> {
  for (let at = process.pid; at > 0; at = (await readStat(at)).parent) {
    if (at === pid) return true;
  }
  return false;
}

/** One value of a `Key:\tvalue` file such as /proc/PID/status; undefined when it is not there. */
export function statusField(status: string, key: string): string | undefined {
  return new RegExp(`^${key}:\\s*(.*)$`, "m").exec(status)?.[1];
}

export function processGone(pid: number): PagefoldError {
  return new PagefoldError("PROCESS", `there is no process ${pid}`);
}

function goneOr(pid: number, error: unknown): PagefoldError {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOENT" || code === "ESRCH") return processGone(pid);
  const message = `process ${pid}: ${reasonOf(error)}`;
  return new PagefoldError("PROCESS", message, { cause: error });
}

/** Explains EACCES or EPERM from the memory of a process: which rule it was, and the way out. */
export async function explainRefusal(stat: ProcessStat, error: unknown): Promise<PagefoldError> {
  const status = await readFile(`/proc/${stat.pid}/status`, "utf8").catch(() => "");
  const owner = Number.parseInt(statusField(status, "Uid") ?? "", 10);
  const self = process.geteuid?.() ?? -1;
  const scopeText = await readFile(YAMA_SCOPE, "utf8").catch(() => undefined);
  const rule = ruleOf(owner, self, scopeText === undefined ? undefined : scopeText.trim());
  const message = `the kernel refuses the memory of process ${stat.pid} (${stat.name}): ${rule}`;
  return new PagefoldError("PROCESS", message, { cause: error });
}

const YAMA_SCOPE = "/proc/sys/kernel/yama/ptrace_scope";

/** `scope` is the value of kernel.yama.ptrace_scope, undefined on kernels without it. */
export function ruleOf(owner: number, self: number, scope: string | undefined): string {
  const yama = scope === undefined ? "" : ` (kernel.yama.ptrace_scope is ${scope})`;
  if (scope === "3") {
    return "kernel.yama.ptrace_scope is 3, which forbids it to everybody until the next boot";
  }
  if (self === 0) {
    return `root lacks CAP_SYS_PTRACE here, as in most containers; add it${yama}`;
  }
  if (owner !== self)
    return `it belongs to uid ${owner}, we run as uid ${self}; run as root${yama}`;
  if (scope === "1") {
    return (
      "kernel.yama.ptrace_scope is 1, which allows it to ancestors of the process and to root; " +
      "run as root, start the process from the program that captures it, " +
      "or run `sysctl kernel.yama.ptrace_scope=0`"
    );
  }
  if (scope === "2") return "kernel.yama.ptrace_scope is 2, which allows it to root; run as root";
  return `it protects itself (a setuid program, or one marked not dumpable); run as root${yama}`;
}
