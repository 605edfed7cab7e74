// A fault that a worker met while it read a file, as an error that names the file.
import { PagefoldError } from "../core/errors.ts";
import type { TaskFault } from "../pool/task.ts";

export function inputError(name: string, fault: TaskFault): PagefoldError {
  if (fault.code === "") {
    return new PagefoldError("CHANGED", `${name}: shrank to ${fault.byteOffset} bytes while read`);
  }
  return new PagefoldError("INPUT", `${name}: ${fault.reason}`);
}
