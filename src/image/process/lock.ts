// One writer at a time: a lock file beside an archive, or in a directory, that names its holder.
// One that is gone is told from a live one by its pid and, where /proc tells it, its start.
import { readFileSync } from "node:fs";
import { link, open, readFile, rename, rm } from "node:fs/promises";
import { PagefoldError, reasonOf } from "../../core/errors.ts";

export interface Lock {
  release(): Promise<void>;
}

/**
 * Takes the lock `lockPath` of `path`; LOCKED, naming the holder and what it `does`, when somebody
 * has it.
 */
export async function takeLock(path: string, lockPath: string, does: string): Promise<Lock> {
  for (let tries = 0; tries < 3; tries++) {
    if (await create(lockPath)) return { release: () => rm(lockPath, { force: true }) };
    const holder = await readFile(lockPath, "utf8").catch(() => undefined);
    if (holder === undefined) continue;
    if (isAlive(holder)) {
      const pid = holder.split(" ")[0];
      throw new PagefoldError("LOCKED", `${path}: process ${pid} ${does} (${lockPath})`);
    }
    await removeStale(lockPath, holder);
  }
  throw new PagefoldError("LOCKED", `${path}: ${lockPath} changes hands`);
}

async function create(lockPath: string): Promise<boolean> {
  try {
    // Written under a name of its own first: a lock is never seen without its holder.
    const own = `${lockPath}.${process.pid}`;
    const handle = await open(own, "w", 0o600);
    await handle.writeFile(`${process.pid} ${startOf(process.pid) ?? "-"}\n`);
    await handle.close();
    try {
      await link(own, lockPath);
      return true;
    } finally {
      await rm(own, { force: true });
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw new PagefoldError("OUTPUT", `${lockPath}: ${reasonOf(error)}`, { cause: error });
  }
}

function isAlive(holder: string): boolean {
  const [pidText, start] = holder.trim().split(" ");
  const pid = Number(pidText);
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  const startNow = startOf(pid);
  return startNow === undefined || start === "-" || startNow === start;
}

/** Ticks between boot and the start of a process: field 22 of /proc/PID/stat, see proc(5). */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name in parentheses may contain anything; fields are counted from behind it.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}

/** Moves the stale lock aside; if it was another's fresh one by then, it is put back. */
async function removeStale(lockPath: string, stale: string): Promise<void> {
  const aside = `${lockPath}.stale-${process.pid}`;
  try {
    await rename(lockPath, aside);
    if ((await readFile(aside, "utf8")) !== stale) await link(aside, lockPath);
    await rm(aside, { force: true });
  } catch {
    // Somebody else was faster; the next try sees how it stands.
  }
}
