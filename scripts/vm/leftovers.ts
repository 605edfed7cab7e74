// What runs that were killed could not remove: named after their process, so that the next run
// knows whether anybody still needs it.
import { existsSync, readdirSync } from "node:fs";

/** "PREFIX-PID-": how names begin of what this process must remove. */
export function ownPrefix(prefix: string): string {
  return `${prefix}-${process.pid}-`;
}

/** The entries of a folder that belong to processes that are gone. */
export function leftovers(folder: string, prefix: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).filter((name) => {
    if (!name.startsWith(`${prefix}-`)) return false;
    const pid = Number.parseInt(name.slice(prefix.length + 1), 10);
    return pid > 0 && !existsSync(`/proc/${pid}`);
  });
}
