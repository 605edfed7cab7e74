// pagefold rack status, as far as no Redis is needed: words that make no sense, and nobody there.
import { createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { pagefold } from "../support/cli.ts";
import { temporaryFolder } from "../support/folder.ts";

async function rack(...words: string[]) {
  const { code, stdout, stderr } = await pagefold(["rack", ...words], { cwd: temporaryFolder() });
  return { code, stdout: stdout.toString(), stderr };
}

test.each([
  [["status"], /missing required argument 'url'/],
  [[], /rack what\? One of status/],
  [["status", "10.0.0.1:6379"], /not the address of a Redis server/],
  [["status", "http://:secret@a"], /not the address of a Redis server/],
])("rack %j makes no sense", async (words, line) => {
  const { code, stdout, stderr } = await rack(...words);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toMatch(line);
  expect(stderr).not.toContain("secret");
});

const VM = ["--vm", "web=unix:./web"];
test.each([
  [["source", "--connect", "unix:./x", "--rack-index", "10.0.0.9:6379"], /address of a Redis/],
  [["target", "--listen", "unix:./x", "--rack-store", "http://:secret@a"], /address of a Redis/],
  [["source", "--connect", "unix:./x", "--rack-index", "redis://10.0.0.9"], /without a password/],
  [["target", "--listen", "unix:./x", "--rack-store", "rediss://a/1"], /^[^\n]*rack-store a:/],
  [["source", "--connect", "unix:./x", "--rack-key", "secret"], /--rack-key is of use with/],
  [["source", "--connect", "unix:./x", "--rack-store", "redis://a"], /unknown option/],
  [["target", "--listen", "unix:./x", "--rack-index", "redis://a"], /unknown option/],
  [["target", "--listen", "unix:./x", "--rack-key", "key"], /unknown option/],
])("tunnel %j makes no sense", async (words, line) => {
  const { code, stdout, stderr } = await pagefold(["tunnel", ...words, ...VM], {
    cwd: temporaryFolder(),
  });
  expect({ code, stdout: stdout.toString() }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toMatch(line);
  expect(stderr).not.toContain(":secret");
});

test("rack status of a server that is not there fails with one line", async () => {
  for (const json of [[], ["--json"]]) {
    const { code, stdout, stderr } = await rack("status", "redis://:secret@127.0.0.1:1", ...json);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toBe("pagefold: Redis at 127.0.0.1:1: nobody listens there\n");
  }
  const { code, stderr } = await rack("status", "redis+unix:///nowhere/redis.sock");
  expect(code).toBe(1);
  expect(stderr).toBe("pagefold: Redis at /nowhere/redis.sock: no such file or directory\n");
});

test("rack status of what is no Redis fails with one line", async () => {
  const server = createServer((socket) => {
    socket.on("error", () => undefined).on("data", () => socket.end("HTTP/1.1 400 what?\r\n\r\n"));
  });
  const port = await new Promise<number>((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address ? address.port : 0);
    });
  });
  onTestFinished(() => void server.close());
  const { code, stderr } = await rack("status", `redis://127.0.0.1:${port}`);
  expect(code).toBe(1);
  expect(stderr).toMatch(new RegExp(`^pagefold: Redis at 127.0.0.1:${port}: .+\n$`));
});
