// Moves memory that is written all the time to another process, which has it as it was at last:
//   node examples/precopy.mjs
import { fork } from "node:child_process";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { encoderSink, openEngine, precopy } from "pagefold";

const FRAMES = 16384;
const memory = new Uint8Array(FRAMES * 4096);
const engine = await openEngine({ threads: 1 });
if (process.argv[2] === "target") {
  process.send("ready");
  const sink = { write: async (frame, pages) => memory.set(pages, frame * 4096) };
  await engine.decoder().decode(createReadStream("", { fd: 3 }), () => sink);
  process.send(memory[5]); // every round agreed with its checksum
} else {
  const stdio = ["ignore", "inherit", "inherit", "pipe", "ipc"];
  const target = fork(new URL(import.meta.url), ["target"], { stdio });
  await once(target, "message");
  const write = (piece) => new Promise((sent) => target.stdio[3].write(piece, sent));
  const dirty = new Uint8Array(FRAMES / 8);
  const touch = (frame) => {
    memory[frame * 4096 + 5]++;
    dirty[frame >> 3] |= 1 << (frame & 7);
  };
  const run = () => setInterval(() => [0, Math.floor(Math.random() * FRAMES)].forEach(touch));
  let guest = run();
  const read = async (at, n, into) => into.set(memory.subarray(at * 4096, (at + n) * 4096));
  const takeDirty = async (into) => void (into.set(dirty), dirty.fill(0));
  const pause = async () => clearInterval(guest);
  const resume = async () => void (guest = run());
  const prepare = async () => void target.stdio[3].end();
  const commit = async () => console.log(`${memory[5]} is ${(await once(target, "message"))[0]}`);
  const sink = encoderSink({ encoder: engine.encoder(), name: "guest", write, prepare, commit });
  console.log(await precopy({ frameCount: FRAMES, read, takeDirty, pause, resume }, sink));
}
await engine.close();
