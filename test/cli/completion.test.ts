// Completions in a real, interactive bash. Those for zsh and fish are tested in test/shells/.
import { spawn } from "node:child_process";
import { expect, onTestFinished, test, vi } from "vitest";
import { fail, succeed } from "../support/cli.ts";
import {
  COMPLETIONS,
  environment,
  folderToComplete,
  plainCandidates,
} from "../support/completion.ts";

/** C-x d tells what the line has become, and empties it. */
const TELL = `bind -x '"\\C-xd": echo "<$READLINE_LINE>"; READLINE_LINE= READLINE_POINT=0'`;

test("bash offers what commander understands", async () => {
  const folder = await folderToComplete();
  const found: [string, string[]][] = [];
  const told = await askBash(folder);
  for (const [line] of COMPLETIONS) found.push([line, candidatesIn(await told(line), line)]);
  expect(found).toEqual(COMPLETIONS);
});

/** Starts an interactive bash; has readline insert all candidates (M-*) at the end of a line. */
async function askBash(folder: string): Promise<(line: string) => Promise<string>> {
  const bash = spawn("script", ["-qec", "bash --norc -i", "/dev/null"], {
    cwd: folder,
    env: environment(folder),
  });
  onTestFinished(() => {
    bash.kill("SIGKILL");
  });
  let shown = "";
  bash.stdout.on("data", (bytes) => {
    shown += bytes;
  });
  const answer = async (input: string): Promise<string> => {
    shown = "";
    bash.stdin.write(input);
    return vi.waitFor(
      () => {
        const [, line] = /<(pagefold.*)>\r/.exec(shown) ?? [];
        if (line === undefined) throw new Error(`bash did not answer: ${shown}`);
        return line;
      },
      { timeout: 20_000, interval: 10 },
    );
  };
  // A line as long as that is not scrolled.
  await answer(`PS1=; stty columns 500; source .bin/bash; ${TELL}; echo '<'pagefold'>'\n`);
  return (line) => answer(`${line}\x1b*\x18d`);
}

/** The words that took the place of the last one; none when it still stands there alone. */
function candidatesIn(told: string, line: string): string[] {
  const words = told.slice(line.lastIndexOf(" ") + 1).match(/(\\.|\S)+/g) ?? [];
  return told === line ? [] : plainCandidates(words);
}

test("a shell that we do not know is refused", async () => {
  const line = /'tcsh' is invalid.*bash, zsh, fish/;
  await fail(["completion", "tcsh"], { cwd: "." }, { code: 2, line });
});

test("list --names gives names alone", async () => {
  const folder = await folderToComplete();
  const names = await succeed(["list", "--names", "A.pfa"], folder);
  expect(names).toBe("mem 1.raw\none.raw\ntwo.raw\n");
  const line = /'--names' cannot be used with option '--json'/;
  await fail(["list", "--names", "--json", "A.pfa"], { cwd: folder }, { code: 2, line });
});
