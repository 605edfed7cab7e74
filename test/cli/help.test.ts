// Help texts, and words on the command line that make no sense.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { fail, pagefold, succeed } from "../support/cli.ts";

const VERBS = [
  ...["pack", "append", "unpack", "repack", "list"],
  ...["verify", "inspect", "diff", "cat", "serve", "capture"],
  ...["tunnel", "replicate", "rack", "completion"],
];
const SUBVERBS = [
  ...["tunnel source", "tunnel target", "replicate primary", "replicate backup"],
  ...["replicate status", "replicate resume", "replicate release", "rack status"],
];
const cwd = ".";

test("--version is the version of the package", async () => {
  const { version } = JSON.parse(readFileSync("package.json", "utf8"));
  expect(await succeed(["--version"], cwd)).toBe(`${version}\n`);
});

describe("--help fits 80 columns", () => {
  test("names every verb in groups", async () => {
    const text = await succeed(["--help"], cwd);
    for (const verb of VERBS) expect(text).toMatch(new RegExp(`^ {2}${verb}[, ]`, "m"));
    expect(text).toMatch(/^Look inside:$/m);
    expect(longest(text)).toBeLessThanOrEqual(80);
  });

  test.each([...VERBS, ...SUBVERBS])("%s has examples", async (verb) => {
    const words = verb.split(" ");
    const text = await succeed([...words, "--help"], cwd);
    expect(text).toMatch(new RegExp(`^ {2}.*pagefold ${verb} `, "m"));
    expect(longest(text)).toBeLessThanOrEqual(80);
    expect(await succeed(["help", ...words], cwd)).toBe(text);
  });

  test("help alone is --help, and follows subverbs", async () => {
    expect(await succeed(["help"], cwd)).toBe(await succeed(["--help"], cwd));
    const text = await succeed(["tunnel", "source", "--help"], cwd);
    expect(await succeed(["tunnel", "help", "source"], cwd)).toBe(text);
  });
});

describe("usage errors exit with 2 and say where help is", () => {
  test.each([
    [[], /no verb was given$/],
    [["pakc", "a"], /unknown command 'pakc' \(Did you mean pack\?\)$/],
    [["pakc", "--help"], /unknown command 'pakc' \(Did you mean pack\?\)$/],
    [["help", "pakc"], /unknown command 'pakc' \(Did you mean pack\?\)$/],
    [["tunnel"], /tunnel what\? One of source, target$/],
    [["tunnel", "sorce"], /unknown command 'sorce' \(Did you mean source\?\)$/],
    [["pack", "a"], /required option '-o, --output <file>' not specified$/],
    [["pack", "-o", "x.pfa"], /no images were given$/],
    [["pack", "a", "-o", "x.pfa", "--what"], /unknown option '--what'$/],
    [["pack", "a", "-o", "x.pfa", "-M", "12Q"], /'12Q' is invalid\. A size is bytes/],
    [["pack", "a", "-o", "x.pfa", "-T", "all"], /'all' is invalid/],
    [
      ["pack", "a", "-o", "x.pfa", "--level", "best"],
      /'best' is invalid.*store, fast, balanced, small/,
    ],
    [["pack", "a", "-o", "x.pfa", "--note", "novalue"], /A note is KEY=VALUE/],
    [["pack", "a", "-o", "x.pfa", "--name", "b"], /--name names the image from stdin/],
    [["pack", "a", "-o", "x.pfa", "-0"], /-0 needs --files-from$/],
    [["pack", "-", "-", "-o", "x.pfa"], /stdin can be only one image$/],
    [["pack", "-", "--files-from", "-", "-o", "x.pfa"], /stdin cannot be both/],
    [["pack", "a", "-o", "-", "--json"], /cannot both go to stdout$/],
    [["list"], /missing required argument 'archive'$/],
    [["list", "-"], /list needs a file/],
    [["list", "a", "b"], /too many arguments/],
    [["cat", "a.pfa", "b", "--offset", "-1"], /'-1' is invalid|argument missing/],
    [["capture", "self", "-o", "x"], /'self' is invalid.*A process id is a number\.$/],
    [["capture", "1", "-o", "-"], /not stdout$/],
    [["inspect", "-"], /inspect reads files, not stdin$/],
    [["diff", "a"], /missing required argument 'new'$/],
    [["diff", "a", "-"], /diff compares files, not stdin$/],
    [["diff", "a", "b", "-o", "-", "--json"], /cannot both go to stdout$/],
  ])("%j", async (words, line) => {
    await fail(words, { cwd }, { code: 2, line });
  });

  test("of the verb that the words begin with", async () => {
    const { stderr } = await pagefold(["tunnel", "source", "--levle", "fast"], { cwd });
    expect(stderr).toMatch(/\nTry 'pagefold tunnel source --help'\.\n$/);
    expect((await pagefold(["pack", "a"], { cwd })).stderr).toMatch(/'pagefold pack --help'/);
    expect((await pagefold(["--levle"], { cwd })).stderr).toMatch(/'pagefold --help'/);
  });
});

test("PAGEFOLD_DEBUG=1 adds the stack, nothing else does", async () => {
  const words = ["list", "nowhere.pfa"];
  const { stderr } = await pagefold(words, { cwd, env: { PAGEFOLD_DEBUG: "1" } });
  expect(stderr).toMatch(/^ {4}at /m);
  await fail(
    words,
    { cwd },
    { code: 1, line: /^pagefold: nowhere\.pfa: no such file or directory$/ },
  );
});

function longest(text: string): number {
  return Math.max(...text.split("\n").map((line) => line.length));
}
