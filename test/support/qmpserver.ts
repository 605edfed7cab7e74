// A monitor that says what a test wants, in pieces of any size.
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";

export interface Request {
  execute: string;
  arguments?: Record<string, unknown>;
  id: number;
}

export const GREETING = { QMP: { version: { qemu: { major: 7, minor: 2, micro: 0 } } } };

export class QmpServer {
  readonly path: string;
  /** What was asked so far, the opening excepted. */
  readonly requests: Request[] = [];
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();

  private constructor(path: string, server: Server) {
    this.path = path;
    this.server = server;
  }

  /** Answers with what `answer` returns, as one text; `undefined` says nothing. */
  static async open(
    folder: string,
    answer: (request: Request, server: QmpServer) => string | undefined,
    greeting: string = JSON.stringify(GREETING),
  ): Promise<QmpServer> {
    const path = join(folder, "qmp");
    const opened = new QmpServer(
      path,
      createServer((socket) => {
        opened.sockets.add(socket);
        socket.on("error", () => undefined);
        if (greeting !== "") socket.write(`${greeting}\r\n`);
        createInterface({ input: socket }).on("line", (line) => {
          const request = JSON.parse(line) as Request;
          const isOpening = request.execute === "qmp_capabilities";
          if (!isOpening) opened.requests.push(request);
          const text = isOpening
            ? `${JSON.stringify({ return: {}, id: request.id })}\r\n`
            : answer(request, opened);
          if (text !== undefined) socket.write(text);
        });
      }),
    );
    opened.server.listen(path);
    await once(opened.server, "listening");
    return opened;
  }

  say(text: string | Uint8Array): void {
    for (const socket of this.sockets) socket.write(text);
  }

  event(event: string, data: object = {}): void {
    const timestamp = { seconds: 1_700_000_000, microseconds: 250_000 };
    this.say(`${JSON.stringify({ event, data, timestamp })}\r\n`);
  }

  hangUp(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  close(): void {
    this.hangUp();
    this.server.close();
  }
}
