// What /proc says about processes, and the sentences for what the kernel refuses.
import { describe, expect, test } from "vitest";
import {
  isSelfOrAncestor,
  parseStat,
  readStat,
  ruleOf,
  threadIds,
} from "../../../src/image/process/process.ts";

describe("process: stat", () => {
  test("survives a name made to confuse", () => {
    const text = `42 (a) R (b) S 7 8 9 0 -1 2097216 1 2 3 4 11 12 13 14 20 -5 1 0 9876 0 0`;
    expect(parseStat(text)).toEqual({
      pid: 42,
      name: "a) R (b",
      state: "S",
      parent: 7,
      group: 8,
      session: 9,
      isKernelThread: true,
      ticks: [11, 12, 13, 14],
      nice: -5,
    });
  });

  test("tells this process, its threads and its ancestors", async () => {
    const stat = await readStat(process.pid);
    expect(stat).toMatchObject({ pid: process.pid, parent: process.ppid, isKernelThread: false });
    expect((await threadIds(process.pid))[0]).toBe(process.pid);
    expect(await isSelfOrAncestor(process.pid)).toBe(true);
    expect(await isSelfOrAncestor(process.ppid)).toBe(true);
    expect(await isSelfOrAncestor(0x7fffffff)).toBe(false);
  });

  test("refuses a pid that is not there", async () => {
    const gone = { code: "PROCESS", message: "there is no process 2147483647" };
    await expect(readStat(0x7fffffff)).rejects.toMatchObject(gone);
    await expect(threadIds(0x7fffffff)).rejects.toMatchObject(gone);
  });
});

describe("process: why the kernel refuses", () => {
  test.each<[number, number, string | undefined, RegExp]>([
    [1000, 1000, "1", /ptrace_scope is 1.*ancestors.*sysctl kernel\.yama\.ptrace_scope=0/],
    [1000, 1000, "2", /ptrace_scope is 2.*run as root/],
    [1000, 1000, "3", /ptrace_scope is 3.*next boot/],
    [1000, 1000, "0", /protects itself.*\(kernel\.yama\.ptrace_scope is 0\)$/],
    [1000, 1000, undefined, /protects itself.*run as root$/],
    [0, 1000, "1", /belongs to uid 0, we run as uid 1000; run as root/],
    [0, 0, "1", /CAP_SYS_PTRACE/],
    [0, 0, "3", /next boot/],
  ])("owner %i, self %i, yama %s", (owner, self, scope, expected) => {
    expect(ruleOf(owner, self, scope)).toMatch(expected);
  });
});
