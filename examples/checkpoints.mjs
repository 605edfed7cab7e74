// Keeps checkpoints of memory that is written all the time in a directory, made by another process;
// then the writer is killed, and the last checkpoint read:
//   node examples/checkpoints.mjs DIRECTORY
import { fork } from "node:child_process";
import { once } from "node:events";
import {
  CheckpointBackup,
  CheckpointPrimary,
  connect,
  listen,
  pageEpochs,
  parseAddress,
  ReplicaStore,
} from "pagefold";

const FRAMES = 16384;
const [, , directory, role] = process.argv;
const address = parseAddress("unix:checkpoints.sock");
if (role === "primary") {
  const memory = new Uint8Array(FRAMES * 4096);
  const dirty = new Uint8Array(FRAMES / 8);
  const touch = (frame) => {
    memory[frame * 4096 + 5]++;
    dirty[frame >> 3] |= 1 << (frame & 7);
  };
  const run = () => setInterval(() => [0, Math.floor(Math.random() * FRAMES)].forEach(touch));
  let guest = run();
  const source = pageEpochs({
    name: "counter",
    frameCount: FRAMES,
    read: async (at, n, into) => into.set(memory.subarray(at * 4096, (at + n) * 4096)),
    takeDirty: async (into) => void (into.set(dirty), dirty.fill(0)),
    pause: async () => clearInterval(guest),
    resume: async () => void (guest = run()),
    saveState: async () => Uint8Array.of(memory[5]), // what a hypervisor knows besides memory
  });
  const report = ({ epoch, pageCount, wireBytes }) => process.send({ epoch, pageCount, wireBytes });
  const ways = { source, connect: (signal) => connect(address, { signal }), intervalMs: 50 };
  await new CheckpointPrimary({ ...ways, onEpoch: report }).run();
} else {
  const listener = await listen(address);
  const primary = fork(new URL(import.meta.url), [directory, "primary"]);
  const connection = await listener.accept();
  const open = (identity) => ReplicaStore.open(directory, { identity });
  const served = new CheckpointBackup({ open }).serve(connection).catch(({ message }) => message);
  for (let epoch = 0; epoch < 5; ) {
    const [report] = await once(primary, "message");
    console.log(report);
    ({ epoch } = report);
  }
  primary.kill("SIGKILL");
  console.log(await served);
  await listener.close();
  const store = await ReplicaStore.open(directory);
  const last = await store.read(store.last.epoch);
  const page = new Uint8Array(4096);
  await last.read(0, 1, page);
  const [state] = await last.deviceState();
  console.log(`epoch ${store.last.epoch}: memory says ${page[5]}, the state beside it ${state}`);
  await last.close();
  await store.close();
}
