// Moves memory images to another process while they change: node examples/gang.mjs vm0.raw vm1.raw
import { fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import * as pf from "pagefold";

const [address, guests] = [{ kind: "unix", path: "gang.sock" }, process.argv.slice(2)];
const engine = await pf.openEngine({ threads: 1 });
if (guests[0] === "target") {
  const listener = await pf.listen(address);
  process.send("listens");
  const sinkOf = async (name, returns, memory) => {
    const write = async (frame, pages) => void memory.set(pages, frame * 4096);
    const begin = async (frames) => (memory = Buffer.alloc(frames * 4096)) && { write };
    const run = async () => writeFileSync(`${name}.received`, memory); // whole, and ours now
    return pf.pageGuestSink(name, returns, { begin, run, abort: console.error });
  };
  const gang = { connection: await listener.accept(), expects: () => true, sinkOf };
  await pf.serveGangTarget(engine, { ...gang, onGuestOver: () => listener.close() });
} else {
  await once(fork(new URL(import.meta.url), ["target"]), "message");
  const gang = await pf.openGangSource(engine, { connection: await pf.connect(address), guests });
  const send = async (path, number) => {
    const memory = readFileSync(path);
    const dirty = new Uint8Array(Math.ceil(memory.length / 32768)); // bit i of byte i >> 3: page i
    const touch = (at) => (memory[at * 4096]++, (dirty[at >> 3] |= 1 << (at & 7)));
    const guest = setInterval(() => touch(Math.floor(Math.random() * 50)));
    const read = async (at, n, into) => into.set(memory.subarray(at * 4096, (at + n) * 4096));
    const takeDirty = async (into) => void (into.set(dirty), dirty.fill(0));
    const [pause, resume] = [async () => clearInterval(guest), async () => console.error(path)];
    const source = { frameCount: memory.length / 4096, read, takeDirty, pause, resume };
    const { rounds } = await pf.precopy(source, await pf.openPageGuest(gang, number));
    console.log(path, rounds.length, memory.equals(readFileSync(`${path}.received`)));
  };
  await Promise.all(guests.map(send));
  console.log(`${gang.numbers.wireBytes} bytes together`);
  await gang.close();
}
await engine.close();
