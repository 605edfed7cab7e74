// Sends memory images to another process as a gang, so that what they share crosses once:
//   node examples/gang.mjs vm0.raw vm1.raw …
import { fork } from "node:child_process";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { mkdir, open } from "node:fs/promises";
import { basename } from "node:path";
import { openEngine } from "pagefold";

const engine = await openEngine({ threads: 2 });
if (process.argv[2] === "target") {
  await mkdir("received", { recursive: true });
  const sinkOf = async (name) => {
    const file = await open(`received/${name}`, "w");
    return { write: (frame, pages) => file.write(pages, 0, pages.length, frame * 4096) };
  };
  await engine.decoder().decode(createReadStream("", { fd: 3 }), sinkOf);
  process.send("complete"); // every round of every image agreed with its checksum
} else {
  const stdio = ["ignore", "inherit", "inherit", "pipe", "ipc"];
  const target = fork(new URL(import.meta.url), ["target"], { stdio });
  const encoder = engine.encoder(); // one for all: it knows the pages of the whole gang
  let wireBytes = 0;
  const send = async (path, dirty) => {
    const file = await open(path);
    const read = (frame, count, into) => file.read(into, 0, count * 4096, frame * 4096);
    const source = { frameCount: Math.floor((await file.stat()).size / 4096), read };
    for await (const piece of encoder.stream(basename(path), source, dirty && { dirty })) {
      wireBytes += piece.length;
      await new Promise((sent) => target.stdio[3].write(piece, sent));
    }
    await file.close();
  };
  for (const path of process.argv.slice(2)) await send(path);
  // Then send(path, dirty) is the next round of one: bit i of byte i >> 3 of `dirty` is frame i.
  target.stdio[3].end();
  console.log(`${wireBytes} bytes, ${(await once(target, "message"))[0]}`);
}
await engine.close();
