// Captures of live processes of our own: the bytes, the pause, and the process that runs on.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { openImageFile } from "../../../src/image/open.ts";
import { type CaptureReport, captureProcess } from "../../../src/image/process/capture.ts";
import { temporaryFolder } from "../../support/folder.ts";
import {
  heldPattern,
  memoryOf,
  start,
  startHolder,
  stateOf,
  unprivileged,
  until,
} from "../../support/processes.ts";

const HELD_BYTES = 3_000_000;

/** Compares what the report says is in the file with the memory of the (stopped) process. */
function expectFaithful(report: CaptureReport): void {
  const file = readFileSync(report.path);
  expect(file.length).toBe(report.byteLength);
  let compared = 0;
  for (const { address, byteOffset, byteLength, name } of report.mappings) {
    if (byteLength === 0) continue;
    const there = memoryOf(report.pid, address, byteLength);
    const same = there.equals(file.subarray(byteOffset, byteOffset + byteLength));
    expect(same, `${name} at ${address.toString(16)}`).toBe(true);
    compared += byteLength;
  }
  expect(compared).toBeGreaterThan(HELD_BYTES);
}

describe("capture: of a live process", () => {
  test("an ELF core holds its memory at its addresses", async () => {
    const pid = await startHolder(HELD_BYTES);
    const path = join(temporaryFolder(), "core");
    const report = await captureProcess(pid, path);
    expect(report).toMatchObject({ pid, path, format: "elf", pausedMs: 0, warnings: [] });
    expect(report.unreadable).toEqual([]);

    const file = readFileSync(path);
    const found = file.indexOf(heldPattern(HELD_BYTES));
    expect(found).toBeGreaterThan(0);
    const image = await openImageFile(path);
    onTestFinished(() => image.close());
    expect(image.format).toBe("elf-core");
    const index = image.segments.findIndex((s) => found < s.byteOffset + s.byteLength);
    const region = image.regions?.find(({ segmentIndex }) => segmentIndex === index);
    const offset = BigInt(found - image.segments[index].byteOffset);
    const address = (region?.address ?? 0n) + offset;
    expect(memoryOf(pid, address, HELD_BYTES).equals(heldPattern(HELD_BYTES))).toBe(true);

    const withContent = report.mappings.filter(({ byteLength }) => byteLength > 0);
    const addresses = image.regions?.map((one) => one.address);
    expect(addresses).toEqual(withContent.map((one) => one.address));
    expect(stateOf(pid)).not.toBe("T");
  });

  test("the core is for its owner alone, names its program, and is sparse", async () => {
    const pid = await startHolder(1);
    const path = join(temporaryFolder(), "core");
    const { byteLength, storedBytes } = await captureProcess(pid, path);
    const stats = statSync(path);
    expect(stats.mode & 0o777).toBe(0o600);
    expect(stats.blocks * 512).toBeLessThan(byteLength);
    expect(storedBytes).toBeLessThan(byteLength);
    const head = readFileSync(path).subarray(0, 256 * 1024);
    expect(head.includes("CORE\0")).toBe(true);
    expect(head.includes(`${process.execPath}\0`)).toBe(true);
  });

  test("raw is the same memory without a head", async () => {
    const pid = await startHolder(HELD_BYTES);
    process.kill(pid, "SIGSTOP");
    await until(() => stateOf(pid) === "T");
    const path = join(temporaryFolder(), "memory");
    const report = await captureProcess(pid, path, { format: "raw" });
    expect(report.mappings[0].byteOffset).toBe(0);
    expectFaithful(report);
    const total = report.mappings.reduce((sum, { byteLength }) => sum + byteLength, 0);
    expect(report.byteLength).toBe(total);
  });

  test("ranges that the kernel cannot read are listed and left off", async () => {
    const folder = temporaryFolder();
    const library = join(folder, "preloaded.so");
    copyFileSync(someLibrary(), library);
    const bytes = statSync(library).size;
    const child = start("sleep", ["1000"], { ...process.env, LD_PRELOAD: library });
    const pid = child.pid ?? 0;
    await until(() => readFileSync(`/proc/${pid}/maps`, "utf8").includes(library));
    process.kill(pid, "SIGSTOP");
    await until(() => stateOf(pid) === "T");
    truncateSync(library, 4096);
    const report = await captureProcess(pid, join(folder, "core"));
    const lost = report.unreadable.reduce((sum, { byteLength }) => sum + byteLength, 0);
    expect(lost).toBeGreaterThan(0);
    expect(lost).toBeLessThanOrEqual(bytes + 8192);
    expect(report.unreadable[0].reason).toBe("input/output error");
    const ofLibrary = report.mappings.filter(({ name }) => name === library);
    expect(ofLibrary.some(({ byteLength, memoryBytes }) => byteLength < memoryBytes)).toBe(true);
    process.kill(pid, "SIGKILL");
  });
});

/** A shared library that this very process uses, hence one that `sleep` can load as well. */
function someLibrary(): string {
  const maps = readFileSync("/proc/self/maps", "utf8");
  const path = /(\/\S*\/lib(?:m|dl|gcc_s|stdc\+\+)[-.]\S*so\S*)$/m.exec(maps)?.[1];
  if (path === undefined) throw new Error("this process has no library mapped");
  return path;
}

describe("capture: with a pause", () => {
  test("the process is stopped meanwhile, and runs before and after", async () => {
    const pid = await startHolder(HELD_BYTES);
    expect(stateOf(pid)).not.toBe("T");
    const states = new Set<string>();
    const path = join(temporaryFolder(), "core");
    const report = await captureProcess(pid, path, {
      pause: true,
      onProgress: () => states.add(stateOf(pid)),
    });
    expect(states).toEqual(new Set(["T"]));
    expect(report.pausedMs).toBeGreaterThan(0);
    expect(report.warnings).toEqual([]);
    await until(() => stateOf(pid) !== "T");
  });

  test("a stopped process is copied byte for byte and stays stopped", async () => {
    const pid = await startHolder(HELD_BYTES);
    process.kill(pid, "SIGSTOP");
    await until(() => stateOf(pid) === "T");
    const path = join(temporaryFolder(), "core");
    const report = await captureProcess(pid, path, { pause: true });
    expect(stateOf(pid)).toBe("T");
    expect(report.pausedMs).toBe(0);
    expect(report.warnings).toEqual([`process ${pid} (node) was stopped already`]);
    expectFaithful(report);
  });

  test("a SIGKILL of the capturing process lets the target run on", async () => {
    const folder = temporaryFolder();
    const script = join(folder, "killed.ts");
    const capture = new URL("../../../src/image/process/capture.ts", import.meta.url);
    // It kills itself in the middle of the copy, with the target stopped. The target is its own
    // child, for there are kernels where only an ancestor may read memory.
    const source = `
      import { spawn } from "node:child_process";
      import { readFileSync, writeSync } from "node:fs";
      import { captureProcess } from ${JSON.stringify(capture.href)};
      const { pid } = spawn("sleep", ["1000"], { stdio: "ignore" });
      await captureProcess(pid, ${JSON.stringify(join(folder, "core"))}, {
        pause: true,
        onProgress() {
          writeSync(1, readFileSync("/proc/" + pid + "/stat", "utf8"));
          process.kill(process.pid, "SIGKILL");
        },
      });
    `;
    writeFileSync(script, source);
    const loader = fileURLToPath(new URL("../../support/strip-types.mjs", import.meta.url));
    const killed = spawnSync(process.execPath, ["--import", loader, script], { encoding: "utf8" });
    expect(killed).toMatchObject({ signal: "SIGKILL", stderr: "" });
    expect(killed.stdout).toMatch(/^\d+ \(sleep\) T /);
    const pid = Number.parseInt(killed.stdout, 10);
    onTestFinished(() => void process.kill(pid, "SIGKILL"));
    await until(() => stateOf(pid) !== "T");
    expect(stateOf(pid)).toMatch(/[RS]/);
    expect(readdirSync(folder).sort()).toEqual([`.core.tmp-${killed.pid}`, "killed.ts"]);
  });

  test("an abort or a failure lets the target run on and leaves no file", async () => {
    const pid = await startHolder(HELD_BYTES);
    const folder = temporaryFolder();
    const controller = new AbortController();
    const reason = new Error("stop it");
    const onProgress = () => controller.abort(reason);
    const { signal } = controller;
    const options = { pause: true, signal, onProgress };
    await expect(captureProcess(pid, join(folder, "core"), options)).rejects.toBe(reason);
    expect(readdirSync(folder)).toEqual([]);
    await until(() => stateOf(pid) !== "T");
  });
});

describe("capture: refuses", () => {
  async function refusal(pid: number, options = {}): Promise<{ code: string; message: string }> {
    const folder = temporaryFolder();
    chmodSync(folder, 0o777);
    const error = await captureProcess(pid, join(folder, "core"), options).catch((e: unknown) => e);
    expect(readdirSync(folder)).toEqual([]);
    const { code, message } = error as { code: string; message: string };
    expect(message).toMatch(/^[^\n]+$/);
    return { code, message };
  }

  test("a process that ends in the middle", async () => {
    const pid = await startHolder(HELD_BYTES);
    const onProgress = () => {
      if (stateOf(pid) === "gone" || stateOf(pid) === "Z") return;
      process.kill(pid, "SIGKILL");
    };
    expect(await refusal(pid, { onProgress })).toEqual({
      code: "PROCESS",
      message: expect.stringContaining(`process ${pid} (node) ended`),
    });
  });

  test("a process that is gone, and what is no process id", async () => {
    const { pid } = spawnSync("true");
    expect(await refusal(pid)).toEqual({
      code: "PROCESS",
      message: `there is no process ${pid}`,
    });
    for (const wrong of [0, -1, 1.5, Number.NaN, 2 ** 31]) {
      expect(await refusal(wrong)).toMatchObject({ code: "USAGE" });
    }
  });

  test("a process that the kernel protects, with the reason", async () => {
    const folder = temporaryFolder();
    chmodSync(folder, 0o755);
    // Nobody but root may read a program that is not readable, nor the memory it runs in.
    const program = join(folder, "sleep");
    copyFileSync("/bin/sleep", program);
    chmodSync(program, 0o111);
    const { pid = 0 } = start(program, ["1000"]);
    await until(() => readFileSync(`/proc/${pid}/stat`, "utf8").includes("(sleep)"));
    const { code, message } = await unprivileged(() => refusal(pid));
    expect(code).toBe("PROCESS");
    expect(message).toContain(`the kernel refuses the memory of process ${pid} (sleep): `);
    expect(message).toMatch(/run as root/);
  });

  test("to pause this process; it may be captured live", async () => {
    expect(await refusal(process.pid, { pause: true })).toMatchObject({
      code: "USAGE",
      message: expect.stringContaining("cannot pause itself"),
    });
  });

  test("an existing file, without touching it or the process", async () => {
    const pid = await startHolder(1);
    const path = join(temporaryFolder(), "core");
    writeFileSync(path, "mine");
    const refused = { code: "OUTPUT", message: `${path}: exists already` };
    await expect(captureProcess(pid, path, { pause: true })).rejects.toMatchObject(refused);
    expect(readFileSync(path, "utf8")).toBe("mine");
    const report = await captureProcess(pid, path, { force: true });
    expect(statSync(path).size).toBe(report.byteLength);
  });
});
