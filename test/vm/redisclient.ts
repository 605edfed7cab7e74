// node redisclient.ts write PREFIX: writes one key after another into the redis of a guest, from
// outside, and prints the number of each one that was acknowledged.
// node redisclient.ts missing PREFIX COUNT: prints which of keys 1 to COUNT redis does not have.
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const PORT = 6379;
const [, , verb, prefix, count] = process.argv;

/** A redis that has just been brought back may not be heard of yet. */
async function open(): Promise<Socket> {
  for (;;) {
    const socket = connect(PORT, "127.0.0.1");
    socket.on("error", () => undefined);
    const isOpen = await new Promise((resolve) => {
      socket.once("connect", () => resolve(true));
      socket.once("close", () => resolve(false));
    });
    if (isOpen) return socket.setNoDelay(true);
    await sleep(50);
  }
}

async function ask(socket: Socket, command: string): Promise<string> {
  socket.write(`${command}\r\n`);
  const [answer] = await once(socket, "data");
  return `${answer}`;
}

const socket = await open();
if (verb === "write") {
  for (let number = 1; ; number++) {
    const answer = await ask(socket, `SET ${prefix}:${number} ${number}`);
    if (answer !== "+OK\r\n") throw new Error(`redis answers ${answer}`);
    process.stdout.write(`${number}\n`);
  }
}
const missing: number[] = [];
for (let number = 1; number <= Number(count); number++) {
  const answer = await ask(socket, `GET ${prefix}:${number}`);
  if (answer !== `$${`${number}`.length}\r\n${number}\r\n`) missing.push(number);
}
process.stdout.write(`${JSON.stringify(missing)}\n`);
socket.destroy();
