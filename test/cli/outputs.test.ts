// The refusal of terminals; no test has one.
import { expect, test } from "vitest";
import { refuseTerminal } from "../../src/cli/outputs.ts";

test("archive and image bytes do not go to a terminal", () => {
  expect(() => refuseTerminal(true, "an archive")).toThrow(/^an archive is not written to a term/);
  expect(() => refuseTerminal(false, "an archive")).not.toThrow();
});
