// The errors that leave the library: few classes, a stable code each, and a message that names the
// thing and the number. Programming errors are plain assertions and not listed here.

/** Stable codes; a program may switch on them. */
export type ErrorCode =
  | "USAGE" // an argument makes no sense
  | "INPUT" // an input is missing, unreadable, or not of the kind it claims to be
  | "CHANGED" // an input changed while it was read
  | "OUTPUT" // an output cannot be written, exists already, or is full
  | "FORMAT" // bytes are not an archive, or of a version or kind we do not read
  | "DAMAGED" // bytes fail their checksum or break a rule of the format
  | "KEY" // an archive is sealed and its key is missing or another one, or it is not sealed
  | "BASE" // the base image is missing or another one than the archive was made against
  | "MISMATCH" // content is not what its digest says
  | "RANGE" // a name, frame or offset that is not there
  | "LOCKED" // somebody else is appending
  | "PROCESS" // a process is gone, or the kernel refuses to let us read it
  | "LIMIT" // a stated limit would be exceeded
  | "CONNECTION" // a peer cannot be reached, was lost, or broke the rules of a session
  | "DOUBT"; // the peer was lost in the moment in which neither side can know the outcome

/** Every failure that the library reports on purpose. */
export class PagefoldError extends Error {
  override readonly name = "PagefoldError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The text of anything thrown. System errors are cut down to their reason. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  return SYSTEM_REASONS[code ?? ""] ?? error.message;
}

const SYSTEM_REASONS: Record<string, string> = {
  ENOENT: "no such file or directory",
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  EISDIR: "is a directory",
  ENOTDIR: "not a directory",
  ENOSPC: "no space left on device",
  EDQUOT: "disk quota exceeded",
  EROFS: "read-only file system",
  EEXIST: "file exists",
  EMFILE: "too many open files",
  EFBIG: "file too large",
  EIO: "input/output error",
  ELOOP: "too many levels of symbolic links",
  ESRCH: "no such process",
};
