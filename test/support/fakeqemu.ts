// What a tunnel takes for QEMUs: one that migrates a made-up stream to a socket, and one that waits
// for a stream of known length and answers as it was told.
import { connect as connectSocket, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";

const SHUT = Buffer.from([0, 1, 0, 4, 0, 0, 0, 0]);

/** Waits at `path`. With `answers` false it takes everything and never says that it runs. */
export function fakeIncoming(path: string, byteLength: number, answers = true) {
  const pieces: Buffer[] = [];
  const sockets: Socket[] = [];
  let taken = 0;
  let complete: () => void = () => undefined;
  const completed = new Promise<void>((resolve) => {
    complete = resolve;
  });
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
    socket.on("data", (piece) => {
      pieces.push(piece);
      taken += piece.length;
      if (taken < byteLength) return;
      complete();
      if (answers) socket.end(SHUT);
    });
  }).listen(path);
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { completed, bytes: () => Buffer.concat(pieces), sockets };
}

/** Migrates to `path`; `closed` says what came back when the other side has closed. */
export function fakeOutgoing(path: string, stream: Uint8Array) {
  const socket = connectSocket({ path, allowHalfOpen: true });
  const back: Buffer[] = [];
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => undefined);
  socket.on("data", (piece: Buffer) => {
    back.push(piece);
    if (SHUT.equals(Buffer.concat(back))) socket.end();
  });
  socket.write(stream);
  const closed = new Promise<Buffer>((resolve) => {
    socket.on("end", () => {
      socket.end();
      resolve(Buffer.concat(back));
    });
    socket.on("close", () => resolve(Buffer.concat(back)));
  });
  return { socket, closed };
}
