// What a worker says of an error: one line, and the code that errors lose between threads.
import { reasonOf } from "../core/errors.ts";
import type { TaskFault } from "./task.ts";

export function faultOf(error: unknown): TaskFault {
  const { code, stack } = error as NodeJS.ErrnoException;
  if (code !== undefined) return { code, reason: reasonOf(error), byteOffset: -1 };
  // Without a code it is a programming error: what it is and where it was thrown.
  const [what, where = ""] = (stack ?? String(error)).split("\n", 2);
  return { code: "BUG", reason: `${what}${where.replace(/\s+/, " ")}`, byteOffset: -1 };
}
