// What a monitor of QEMU says: one JSON object a line, told apart by its members. Pieces of the
// socket come in, messages go out.
import { StringDecoder } from "node:string_decoder";
import { PagefoldError } from "../core/errors.ts";

/** A message of the monitor. */
export interface QmpMessage {
  QMP?: unknown;
  id?: unknown;
  return?: unknown;
  error?: { class?: string; desc?: string };
  event?: string;
  data?: Record<string, unknown>;
  timestamp?: { seconds: number; microseconds: number };
}

/** The longest answer that was seen is that of query-qmp-schema, 200 kB. */
const MAX_LINE_LENGTH = 16 << 20;

export class QmpLines {
  private readonly decoder = new StringDecoder("utf8");
  private rest: string[] = [];
  private restLength = 0;
  private readonly path: string;

  /** `path` is the monitor's, for messages. */
  constructor(path: string) {
    this.path = path;
  }

  /** The messages that end in `bytes`. */
  *take(bytes: Uint8Array): Generator<QmpMessage> {
    const lines = this.decoder.write(bytes).split("\n");
    for (let i = 0; i < lines.length; i++) {
      this.rest.push(lines[i]);
      this.restLength += lines[i].length;
      if (this.restLength > MAX_LINE_LENGTH) throw this.fault(`over ${MAX_LINE_LENGTH} characters`);
      if (i === lines.length - 1) break;
      const line = this.rest.join("").trim();
      this.rest = [];
      this.restLength = 0;
      if (line !== "") yield this.parse(line);
    }
  }

  private parse(line: string): QmpMessage {
    try {
      const message: unknown = JSON.parse(line);
      if (typeof message === "object" && message !== null) return message;
    } catch {
      // Not JSON is as bad as no object.
    }
    throw this.fault(`no JSON object, "${line.slice(0, 40)}"`);
  }

  private fault(what: string): PagefoldError {
    return new PagefoldError("CONNECTION", `${this.path}: not QMP: a line is ${what}`);
  }
}
