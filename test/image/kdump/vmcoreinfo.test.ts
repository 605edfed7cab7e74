// The release of a kernel out of the head of its dump.
import { expect, test } from "vitest";
import { readKernelRelease } from "../../../src/image/kdump/vmcoreinfo.ts";

const releaseIn = (text: string, before = 5000) => {
  const bytes = Buffer.concat([Buffer.alloc(before), Buffer.from(text)]);
  return readKernelRelease(async (at, into) => bytes.copy(into, 0, at));
};

test("vmcoreinfo: the release is told if it can be one", async () => {
  expect(await releaseIn("OSRELEASE=6.1.0-13-amd64\nPAGESIZE=4096\n")).toBe("6.1.0-13-amd64");
  expect(await releaseIn("OSRELEASE=6.1.0")).toBeUndefined();
  expect(await releaseIn("OSRELEASE=\u001b[31m\n")).toBeUndefined();
  expect(await releaseIn(`OSRELEASE=${"9".repeat(65)}\n`)).toBeUndefined();
  expect(await releaseIn("OSRELEASE=6.1.0\n", 70_000)).toBeUndefined();
  expect(await releaseIn("")).toBeUndefined();
});
