// node client.ts: asks the redis of a guest from outside, over its network, a few times at a time
// and with a pause after each answer. When it is terminated it prints how often, and how long
// answers took, as JSON.
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { quantile } from "../measure.ts";

const CONNECTIONS = 4;
const THINK_MS = 20;
const PORT = 6379;

export interface ClientReport {
  operationsPerSecond: number;
  answerMs: number;
  answerP99Ms: number;
}

const answersMs: number[] = [];
/** When those who wait have asked. */
const waiting = new Set<number>();
const beganAt = performance.now();

async function ask(name: string): Promise<never> {
  const socket = connect(PORT, "127.0.0.1");
  socket.setNoDelay(true);
  await once(socket, "connect");
  process.stdout.write("connected\n");
  for (;;) {
    const askedAt = performance.now();
    waiting.add(askedAt);
    socket.write(`INCR outside:${name}\r\n`);
    const [answer] = await once(socket, "data");
    if (!/^:\d+\r\n$/.test(`${answer}`)) throw new Error(`redis answers ${answer}`);
    waiting.delete(askedAt);
    answersMs.push(performance.now() - askedAt);
    await sleep(THINK_MS);
  }
}

process.on("SIGTERM", () => {
  const now = performance.now();
  const operationsPerSecond = (1000 * answersMs.length) / (now - beganAt);
  // Whoever got none has waited for so long at least.
  const all = [...answersMs, ...Array.from(waiting, (askedAt) => now - askedAt)];
  if (all.length === 0) process.exit();
  const report: ClientReport = {
    operationsPerSecond,
    answerMs: quantile(all, 0.5),
    answerP99Ms: quantile(all, 0.99),
  };
  process.stdout.write(JSON.stringify(report), () => process.exit());
});
await Promise.all(Array.from({ length: CONNECTIONS }, (_, i) => ask(`${i}`)));
