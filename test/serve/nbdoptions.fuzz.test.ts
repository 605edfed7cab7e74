// Hostile clients of NBD: mutated and random bytes in both phases. The server lives on, answers the
// next client, and holds no more than it should.
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { expect, it } from "vitest";
import { NbdClient, text, u32 } from "../support/nbdclient.ts";
import { randomSeed, seededRandom } from "../support/random.ts";
import { packed, served } from "../support/served.ts";

const CONNECTIONS = 300;
const seed = randomSeed("nbd fuzz");

/** What a client of good manners says from its flags on, in pieces that can be shuffled. */
function manners(): Buffer[] {
  const option = (number: number, data: Uint8Array = Buffer.alloc(0)): Buffer =>
    Buffer.concat([Buffer.from("IHAVEOPT"), u32(number), u32(data.length), data]);
  const request = (type: number, length: number): Buffer => {
    const bytes = Buffer.alloc(28);
    bytes.writeUInt32BE(0x25609513, 0);
    bytes.writeUInt16BE(type, 6);
    bytes.writeUInt32BE(length, 24);
    return bytes;
  };
  const name = text("a.raw");
  const context = Buffer.concat([name, u32(1), text("base:allocation")]);
  return [
    u32(3),
    option(8),
    option(3),
    option(9, context),
    option(10, context),
    option(6, Buffer.concat([name, Buffer.from([0, 1, 0, 3])])),
    option(7, Buffer.concat([name, Buffer.alloc(2)])),
    request(0, 4096),
    request(7, 100_000),
    request(5, 4096),
    request(1, 10),
    Buffer.alloc(10),
    request(0, 100_000),
  ];
}

it("survives whatever it is sent", async () => {
  const random = seededRandom(seed);
  const image = Buffer.from(random.bytes(300_000));
  const { socketPath } = await served(await packed({ "a.raw": image }));
  const memory = process.memoryUsage.rss();
  for (let i = 0; i < CONNECTIONS; i++) {
    const socket = connect({ path: socketPath });
    socket.on("error", () => undefined);
    await once(socket, "connect");
    socket.resume();
    const pieces = manners();
    const bytes = random.int(10) === 0 ? Buffer.from(random.bytes(500)) : Buffer.concat(pieces);
    for (let n = random.int(4); n > 0; n--) {
      const at = random.int(bytes.length);
      bytes[at] = random.int(2) === 0 ? random.int(256) : bytes[at] ^ (1 << random.int(8));
    }
    socket.write(bytes.subarray(0, random.int(8) === 0 ? random.int(bytes.length) : bytes.length));
    if (random.int(2) === 0) socket.end();
    else setTimeout(() => socket.destroy(), random.int(20));
    if (i % 16 === 15) await delay(25);
  }
  await delay(50);
  const client = await NbdClient.go(socketPath, "a.raw", true);
  const { data, error } = await client.read(1, 299_999);
  expect(error).toBe(0);
  expect(data.equals(image.subarray(1))).toBe(true);
  expect(process.memoryUsage.rss() - memory).toBeLessThan(256 << 20);
});
