// Completions in a real zsh and a real fish.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { outcomeOf } from "../support/cli.ts";
import {
  COMPLETIONS,
  environment,
  folderToComplete,
  plainCandidates,
} from "../support/completion.ts";

const CAPTURE = fileURLToPath(new URL("capture.zsh", import.meta.url));
const ASK = 'source .bin/fish; complete -C "$argv[1]" | string replace -r "\\t.*" ""; true';

describe.each([
  ["zsh", (line: string) => ["-f", CAPTURE, ".bin/zsh", line]],
  ["fish", (line: string) => ["--no-config", "-c", ASK, line]],
])("%s", (shell, argumentsFor) => {
  test("offers what commander understands", async () => {
    const folder = await folderToComplete();
    const found: [string, string[]][] = [];
    for (const [line] of COMPLETIONS) {
      const child = spawn(shell, argumentsFor(line), { cwd: folder, env: environment(folder) });
      const { code, stdout, stderr } = await outcomeOf(child);
      expect({ line, code, stderr }).toEqual({ line, code: 0, stderr: "" });
      const lines = stdout.toString("utf8").split("\n").filter(Boolean);
      found.push([line, plainCandidates(lines)]);
    }
    expect(found).toEqual(COMPLETIONS);
  });
});
