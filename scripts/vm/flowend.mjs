// One end of other traffic, for `flow.ts`; plain JavaScript, because it runs as a program.
// flowend.mjs sink ADDRESS PORT: prints every 10 ms the time and the bytes received so far.
// flowend.mjs source ADDRESS PORT MBIT STREAMS: sends as fast as that, all streams together. What
// it could not send is not made up for.
import { connect, createServer } from "node:net";

const TICK_MS = 10;
const CHUNK_BYTES = 64 << 10;
const [, , end, address, port, mbit, streams] = process.argv;

function sink() {
  let bytes = 0;
  createServer((socket) => {
    socket.on("data", (data) => {
      bytes += data.length;
    });
    socket.on("error", () => undefined);
  }).listen(Number(port), address, () => {
    setInterval(() => process.stdout.write(`${Date.now()} ${bytes}\n`), TICK_MS);
  });
}

function source() {
  const chunk = Buffer.alloc(CHUNK_BYTES, "other traffic ");
  const sockets = Array.from({ length: Number(streams) }, () => connect(Number(port), address));
  // Its sink is gone: there is nobody left to send to.
  for (const socket of sockets) socket.on("error", () => process.exit(1));
  const bytesPerMs = (Number(mbit) * 1e6) / 8000;
  let [last, due, turn] = [performance.now(), 0, 0];
  setInterval(() => {
    const now = performance.now();
    due += (now - last) * bytesPerMs;
    last = now;
    for (let full = 0; due >= CHUNK_BYTES && full < sockets.length; ) {
      const socket = sockets[turn++ % sockets.length];
      if (socket.writableNeedDrain) full++;
      else {
        socket.write(chunk);
        due -= CHUNK_BYTES;
        full = 0;
      }
    }
    due = Math.min(due, 2 * TICK_MS * bytesPerMs + CHUNK_BYTES);
  }, TICK_MS / 2);
}

if (end === "sink") sink();
else source();
