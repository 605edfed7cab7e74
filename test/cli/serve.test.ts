// pagefold serve as a process: where it says that it listens, how it ends, and what it refuses.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fail, imageBytes, outcomeOf, startCli, succeed, writeFiles } from "../support/cli.ts";
import { temporaryFolder } from "../support/folder.ts";
import { NbdClient } from "../support/nbdclient.ts";

const ONE = imageBytes(1, 70, 100);
const TWO = imageBytes(2, 64);

async function folderWithArchive(): Promise<string> {
  const cwd = temporaryFolder();
  writeFiles(cwd, { "one.raw": ONE, "two.raw": TWO });
  await succeed(["pack", "one.raw", "two.raw", "-o", "A.pfa"], cwd);
  return cwd;
}

test("--json tells where, both protocols give the bytes, SIGINT ends it", async () => {
  const cwd = await folderWithArchive();
  const socket = join(cwd, "nbd.sock");
  const places = ["--listen", "127.0.0.1:0", "--nbd", `unix:${socket}`];
  const child = startCli(["serve", "A.pfa", ...places, "--image", "two.raw", "--json"], {
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const outcome = outcomeOf(child);
  let text = "";
  child.stdout?.on("data", (bytes: Buffer) => {
    text += bytes;
  });
  await expect.poll(() => text.endsWith("}\n"), { timeout: 20_000 }).toBe(true);
  const { schema, httpUrl, nbdUri, images } = JSON.parse(text);
  expect(schema).toBe("pagefold/serve/1");
  expect(nbdUri).toBe(`nbd+unix:///?socket=${socket}`);
  expect(images).toEqual([{ name: "two.raw", byteLength: TWO.length }]);
  const whole = await fetch(`${httpUrl}images/two.raw`);
  expect(Buffer.from(await whole.arrayBuffer()).equals(TWO)).toBe(true);
  expect((await fetch(`${httpUrl}images/one.raw`)).status).toBe(404);
  const client = await NbdClient.go(socket, "");
  expect((await client.read(0, TWO.length)).data.equals(TWO)).toBe(true);
  child.kill("SIGINT");
  const { code, stderr } = await outcome;
  expect({ code, stderr }).toEqual({ code: 130, stderr: "pagefold: interrupted\n" });
  expect(existsSync(socket)).toBe(false);
});

test.each<[string[], number, RegExp]>([
  [["A.pfa", "--listen", "0.0.0.0:0"], 2, /--listen 0\.0\.0\.0:0: refused without TLS/],
  [["A.pfa", "--listen", "nowhere"], 2, /"nowhere" is not an address/],
  [["A.pfa", "--image", "three.raw"], 1, /A\.pfa: there is no image "three\.raw"$/],
  [["-"], 2, /serve needs a file/],
  [["one.raw"], 1, /one\.raw: /],
])("refuses %j", async (words, code, line) => {
  await fail(["serve", ...words], { cwd: await folderWithArchive() }, { code, line });
});
