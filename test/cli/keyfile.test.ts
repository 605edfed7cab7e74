// --key-file, through the real process: every verb, the shapes a key may have, and what is said of
// a key that is missing, another one, wanted by nobody or open to others.
import { randomBytes } from "node:crypto";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  fail,
  imageBytes,
  outcomeOf,
  pagefold,
  startCli,
  succeed,
  writeFiles,
} from "../support/cli.ts";
import { temporaryFolder } from "../support/folder.ts";

const ONE = imageBytes(1, 70, 100);
const TWO = imageBytes(2, 64);
const KEY = ["--key-file", "key"];

function writeKey(cwd: string, name: string, content: Uint8Array | string): void {
  writeFileSync(join(cwd, name), content, { mode: 0o600 });
}

/** A folder with images, two keys and a sealed archive. */
async function folderWithArchive(): Promise<string> {
  const cwd = temporaryFolder();
  writeFiles(cwd, { "one.raw": ONE, "two.raw": TWO });
  writeKey(cwd, "key", randomBytes(32));
  writeKey(cwd, "other", `${randomBytes(32).toString("hex")}\n`);
  await succeed(["pack", "-q", "one.raw", "-o", "A.pfa", ...KEY], cwd);
  return cwd;
}

describe("a sealed archive", () => {
  test("goes through all verbs that make and unmake archives", async () => {
    const cwd = await folderWithArchive();
    await succeed(["append", "-q", "A.pfa", "two.raw", ...KEY], cwd);
    await succeed(["unpack", "-q", "A.pfa", "-C", "out", ...KEY], cwd);
    expect(readFileSync(join(cwd, "out/one.raw")).equals(ONE)).toBe(true);
    const stdin = readFileSync(join(cwd, "A.pfa"));
    expect(await pagefold(["unpack", "-q", "-", "-C", "piped", ...KEY], { cwd, stdin })).toEqual({
      code: 0,
      signal: null,
      stderr: "",
      stdout: Buffer.alloc(0),
    });
    expect(readFileSync(join(cwd, "piped/two.raw")).equals(TWO)).toBe(true);
    const words = ["repack", "-q", "A.pfa", ...KEY];
    await succeed([...words, "-o", "same.pfa"], cwd);
    await succeed([...words, "-o", "new.pfa", "--new-key-file", "other"], cwd);
    await succeed([...words, "-o", "open.pfa", "--unseal"], cwd);
    for (const [archive, ...more] of [["same.pfa", ...KEY], ["open.pfa"]]) {
      expect(await succeed(["list", "--names", archive, ...more], cwd)).toBe("one.raw\ntwo.raw\n");
    }
    await succeed(["verify", "new.pfa", "--key-file", "other"], cwd);
  });

  test("is looked into with its key", async () => {
    const cwd = await folderWithArchive();
    expect(await succeed(["list", "A.pfa", ...KEY], cwd)).toContain("one.raw");
    expect(await succeed(["verify", "A.pfa", ...KEY], cwd)).toContain("A.pfa: intact: 1 image");
    expect(await succeed(["inspect", "A.pfa", ...KEY], cwd)).toContain("one.raw");
    const words = ["cat", "A.pfa", "one.raw", "--offset", "4096", "--length", "5000", ...KEY];
    const { stdout } = await pagefold(words, { cwd });
    expect(stdout.equals(ONE.subarray(4096, 9096))).toBe(true);
  });

  test("is a base, for what is sealed and for what is not", async () => {
    const cwd = await folderWithArchive();
    const base = "A.pfa::one.raw";
    expect(await succeed(["diff", base, "two.raw", ...KEY], cwd)).toContain("pages changed");
    await succeed(["diff", "-q", base, "two.raw", "-o", "step.pfa", ...KEY], cwd);
    await succeed(["unpack", "-q", "step.pfa", "-C", "out", "--base", base, ...KEY], cwd);
    expect(readFileSync(join(cwd, "out/two.raw")).equals(TWO)).toBe(true);
    await succeed(["pack", "-q", "one.raw", "-o", "open.pfa"], cwd);
    const open = ["--base", "open.pfa::one.raw", ...KEY];
    await succeed(["pack", "-q", "two.raw", "-o", "over.pfa", ...open], cwd);
    await succeed(["verify", "over.pfa", ...open], cwd);
    expect((await pagefold(["cat", "over.pfa", "two.raw", ...open], { cwd })).stdout).toEqual(TWO);
  });

  test("is served", async () => {
    const cwd = await folderWithArchive();
    const words = ["serve", "A.pfa", "--listen", "127.0.0.1:0", "--json", ...KEY];
    const child = startCli(words, { cwd, stdio: ["ignore", "pipe", "pipe"] });
    const outcome = outcomeOf(child);
    let text = "";
    child.stdout?.on("data", (bytes: Buffer) => {
      text += bytes;
    });
    await expect.poll(() => text.endsWith("}\n"), { timeout: 20_000 }).toBe(true);
    const whole = await fetch(`${JSON.parse(text).httpUrl}images/one.raw`);
    expect(Buffer.from(await whole.arrayBuffer()).equals(ONE)).toBe(true);
    child.kill("SIGINT");
    await outcome;
  });
});

describe("a key", () => {
  test("is asked for by every verb", async () => {
    const cwd = await folderWithArchive();
    chmodSync(join(cwd, "one.raw"), 0o600);
    const cases: [string[], RegExp][] = [
      [["list", "A.pfa"], /A\.pfa: is sealed: its key is needed \(--key-file\)$/],
      [["list", "A.pfa", "--key-file", "other"], /A\.pfa: is sealed with another key$/],
      [["unpack", "A.pfa", "-C", "out"], /A\.pfa: is sealed: its key is needed/],
      [["unpack", "A.pfa", "-C", "out", "--keep-going"], /A\.pfa: is sealed: its key is needed/],
      [["verify", "A.pfa", "--key-file", "other"], /A\.pfa: is sealed with another key$/],
      [["verify", "A.pfa"], /A\.pfa: is sealed: its key is needed/],
      [["append", "A.pfa", "two.raw"], /A\.pfa: is sealed: its key is needed/],
      [["repack", "A.pfa", "-o", "B.pfa"], /A\.pfa: is sealed: its key is needed/],
      [["cat", "A.pfa", "one.raw"], /A\.pfa: is sealed: its key is needed/],
      [["serve", "A.pfa"], /A\.pfa: is sealed: its key is needed/],
      [["inspect", "A.pfa"], /A\.pfa: is sealed: its key is needed/],
      [["diff", "A.pfa::one.raw", "two.raw"], /A\.pfa: is sealed: its key is needed/],
      [
        ["pack", "two.raw", "-o", "B.pfa", "--base", "A.pfa::one.raw"],
        /A\.pfa: is sealed: its key/,
      ],
      [["list", "A.pfa", "--key-file", "nowhere"], /nowhere: no such file or directory$/],
      [
        ["list", "A.pfa", "--key-file", "one.raw"],
        /one\.raw: a key is 32 bytes, or 64 hex.* more /,
      ],
    ];
    for (const [words, line] of cases) await fail(words, { cwd }, { code: 1, line });
  });

  test("is not taken for what is not sealed", async () => {
    const cwd = await folderWithArchive();
    await succeed(["pack", "-q", "one.raw", "-o", "open.pfa"], cwd);
    const line = /open\.pfa: is not sealed: it takes no key$/;
    for (const words of [["list"], ["unpack", "-C", "out"], ["verify"], ["append", "two.raw"]]) {
      const [verb, ...more] = words;
      await fail([verb, "open.pfa", ...more, ...KEY], { cwd }, { code: 1, line });
    }
    const images = /only archives take a --key-file$/;
    await fail(["inspect", "one.raw", ...KEY], { cwd }, { code: 2, line: images });
  });

  test("is 32 bytes or 64 hexadecimal digits", async () => {
    const cwd = await folderWithArchive();
    const hex = readFileSync(join(cwd, "key")).toString("hex");
    for (const text of [hex, `${hex}\n`, `${hex.toUpperCase()}\r\n`]) {
      writeKey(cwd, "text", text);
      await succeed(["list", "A.pfa", "--key-file", "text"], cwd);
    }
    for (const text of ["", hex.slice(1), `${hex}\n\n`, `${hex}0`, ` ${hex}`, `g${hex.slice(1)}`]) {
      writeKey(cwd, "text", text);
      const line = /^pagefold: text: a key is 32 bytes, or 64 hexadecimal digits, and this is /;
      await fail(["list", "A.pfa", "--key-file", "text"], { cwd }, { code: 1, line });
    }
  });

  test("that others may read is warned of, and nothing tells it", async () => {
    const cwd = await folderWithArchive();
    chmodSync(join(cwd, "key"), 0o644);
    const { code, stderr, stdout } = await pagefold(["list", "A.pfa", ...KEY, "--json"], { cwd });
    expect(code).toBe(0);
    expect(stderr).toBe("pagefold: warning: key: others have rights to this key (mode 0644)\n");
    const key = readFileSync(join(cwd, "key"));
    expect(stdout.includes(key.toString("hex")) || stdout.includes(key)).toBe(false);
  });
});
