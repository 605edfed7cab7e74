// The manual page says all that --help says. Whether it is good roff its readers are asked in
// test/shells/.
import type { Command } from "commander";
import { expect, test } from "vitest";
import { manualPage } from "../../scripts/manual/page.ts";
import { text, wrapped } from "../../scripts/manual/roff.ts";
import { commandTree } from "../../src/cli/program.ts";

const program = await commandTree("1.2.3", "all", () => undefined);
const page = manualPage(program, "1.2.3", new Date("2026-01-02T03:04:05Z"));

test("has its date, its version and every section", () => {
  expect(page).toContain('.TH PAGEFOLD 1 "2026-01-02" "pagefold 1.2.3"');
  const sections = [...page.matchAll(/^\.SH "(.*)"$/gm)].map(([, title]) => title);
  expect(sections).toEqual([
    ...["NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "OPTIONS", "EXIT STATUS"],
    ...["ENVIRONMENT", "FILES", "EXAMPLES", "SEE ALSO"],
  ]);
});

test("has every option in the part of its verb", () => {
  const parts = new Map(page.split(/^\.S[HS] /m).map((part) => [part.split('"')[1], part]));
  const check = (command: Command, path: readonly string[]) => {
    for (const next of command.commands) check(next, [...path, next.name()]);
    if (command.commands.length > 0) return;
    const part = parts.get([path.join(" "), ...command.aliases()].join(", ")) ?? "";
    for (const { long } of command.options) expect(part).toContain(`\\fB${text(long ?? "?")}\\fR`);
  };
  check(program, []);
  expect(program.commands.length).toBeGreaterThan(10);
});

test("escapes what roff would obey", () => {
  expect(text(".so a\\b 'c' -d")).toBe("\\&.so a\\eb \\(aqc\\(aq \\-d");
  const [first, second] = wrapped(`${"word ".repeat(15).trim()} .request word`).split("\n");
  expect([first.slice(-9), second]).toEqual([" .request", "word"]);
});
