// One process encodes two rounds of its pages, another one decodes them from a pipe:
//   node examples/two-processes.mjs
import { fork } from "node:child_process";
import { createReadStream } from "node:fs";
import { openEngine } from "pagefold";

const FRAMES = 4096;
const memory = new Uint8Array(FRAMES * 4096);
const engine = await openEngine({ threads: 1 });

if (process.argv[2] !== "target") {
  const stdio = ["ignore", "inherit", "inherit", "pipe", "ipc"];
  const pipe = fork(new URL(import.meta.url), ["target"], { stdio }).stdio[3];
  const send = (piece) => new Promise((sent) => pipe.write(piece, sent));
  const source = {
    frameCount: FRAMES,
    read: async (frame, count, into) =>
      into.set(memory.subarray(frame * 4096, (frame + count) * 4096)),
  };
  const encoder = engine.encoder();
  memory.fill(7, 0, 1000 * 4096);
  for await (const piece of encoder.stream("guest", source)) await send(piece);
  const dirty = new Uint8Array(FRAMES / 8);
  dirty[3] = 0b100; // bit 2 of byte 3: frame 26
  memory[26 * 4096 + 5] = 99;
  for await (const piece of encoder.stream("guest", source, { dirty })) await send(piece);
  pipe.end();
} else {
  const sink = { write: async (frame, pages) => memory.set(pages, frame * 4096) };
  await engine.decoder().decode(createReadStream("", { fd: 3 }), () => sink);
  console.log(`frame 26 holds ${memory[26 * 4096 + 5]}, frame 999 holds ${memory[999 * 4096]}`);
}
await engine.close();
