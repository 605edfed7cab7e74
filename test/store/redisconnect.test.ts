// Connecting to Redis, as far as no Redis is needed: nobody there, nobody who answers, no client.
import { createServer, type Socket } from "node:net";
import { expect, it, onTestFinished, vi } from "vitest";
import { connectRedis } from "../../src/store/redisconnect.ts";

it("says who is not there, without the password", async () => {
  await expect(connectRedis("redis://me:secret@127.0.0.1:1")).rejects.toMatchObject({
    code: "CONNECTION",
    message: "Redis at 127.0.0.1:1: nobody listens there",
  });
});

it("gives up on who takes the connection and says nothing", async () => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket.on("error", () => undefined)));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as { port: number };
  const options = { connectTimeoutMs: 200, commandTimeoutMs: 200 };
  const begin = Date.now();
  for (const who of ["", ":secret@"]) {
    await expect(connectRedis(`redis://${who}127.0.0.1:${port}`, options)).rejects.toMatchObject({
      code: "CONNECTION",
      message: `Redis at 127.0.0.1:${port}: no answer within 200 ms`,
    });
  }
  expect(Date.now() - begin).toBeLessThan(5000);
});

it("names the package that is missing", async () => {
  vi.doMock("@redis/client", () => {
    throw new Error("Cannot find package '@redis/client'");
  });
  onTestFinished(() => {
    vi.doUnmock("@redis/client");
  });
  await expect(connectRedis("redis://127.0.0.1:1")).rejects.toMatchObject({
    code: "USAGE",
    message: "Redis needs the package @redis/client 6: npm install @redis/client@6",
  });
});
