// The tunnel as a user runs it: two processes, sockets, and what stands in for QEMUs.
import { type SpawnOptions, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { newAuthority, writeTlsFiles } from "../support/certificates.ts";
import { fail, outcomeOf, startCli } from "../support/cli.ts";
import { fakeIncoming, fakeOutgoing } from "../support/fakeqemu.ts";
import { temporaryFolder } from "../support/folder.ts";
import { makeStream } from "../support/qemustream.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const LIMIT_MS = 60_000;

async function until(isSo: () => boolean): Promise<void> {
  for (const end = Date.now() + LIMIT_MS / 2; !isSo(); await sleep(10)) {
    if (Date.now() > end) throw new Error("it did not come about");
  }
}

/** Starts both ends for the guests, over a unix socket unless words say otherwise. */
async function startTunnel(folder: string, names: readonly string[], more: string[] = []) {
  const link = `unix:${join(folder, "link")}`;
  const vms = (end: string) => names.flatMap((n) => ["--vm", `${n}=unix:${folder}/${n}.${end}`]);
  const stdio: SpawnOptions = { stdio: ["ignore", "pipe", "pipe"] };
  const common = ["-T", "1", "-M", "256MiB", ...more];
  const words = { target: ["--listen", link], source: ["--connect", link, "--json"] };
  const target = startCli(["tunnel", "target", ...words.target, ...common, ...vms("in")], stdio);
  const targetEnd = outcomeOf(target);
  await until(() => existsSync(join(folder, "link")) || target.exitCode !== null);
  const source = startCli(["tunnel", "source", ...words.source, ...common, ...vms("out")], stdio);
  const sourceEnd = outcomeOf(source);
  await until(
    () => names.every((n) => existsSync(`${folder}/${n}.out`)) || source.exitCode !== null,
  );
  return { source, target, sourceEnd, targetEnd };
}

function streams(seed: string, names: readonly string[]) {
  const random = seededRandom(randomSeed(seed));
  return names.map((name) => ({ name, bytes: makeStream(random).bytes }));
}

describe("pagefold tunnel", { timeout: LIMIT_MS }, () => {
  it("hands every guest's stream over as it came, and reports it", async () => {
    const folder = temporaryFolder();
    const guests = streams("cli tunnel", ["web", "db"]);
    const incoming = guests.map(({ name, bytes }) =>
      fakeIncoming(`${folder}/${name}.in`, bytes.length),
    );
    const tunnel = await startTunnel(folder, ["web", "db"]);
    expect(statSync(`${folder}/web.out`).mode & 0o777).toBe(0o600);
    const outgoing = guests.map(({ name, bytes }) => fakeOutgoing(`${folder}/${name}.out`, bytes));
    await Promise.all(outgoing.map(({ closed }) => closed));
    const [source, target] = await Promise.all([tunnel.sourceEnd, tunnel.targetEnd]);
    expect([source.code, target.code]).toEqual([0, 0]);
    guests.forEach(({ bytes }, i) => {
      expect(incoming[i].bytes().equals(bytes)).toBe(true);
    });
    const report = JSON.parse(source.stdout.toString());
    expect(report).toMatchObject({
      schema: "pagefold/tunnel-source/1",
      guests: guests.map(({ name, bytes }) => {
        return { name, outcome: "migrated", streamBytes: bytes.length };
      }),
      streamBytes: guests.reduce((sum, { bytes }) => sum + bytes.length, 0),
    });
    expect(existsSync(`${folder}/web.out`)).toBe(false);
    expect(existsSync(join(folder, "link"))).toBe(false);
  });

  it("works with TLS, and refuses a stranger", async () => {
    const folder = temporaryFolder();
    for (const name of ["ours", "theirs"]) {
      mkdirSync(join(folder, name));
      writeTlsFiles(join(folder, name), newAuthority(name));
    }
    const [{ bytes }] = streams("cli tunnel TLS", ["vm"]);
    const incoming = fakeIncoming(`${folder}/vm.in`, bytes.length);
    const tls = (name: string) => ["--tls-dir", join(folder, name)];
    const tunnel = await startTunnel(folder, ["vm"], tls("ours"));
    const { closed } = fakeOutgoing(`${folder}/vm.out`, bytes);
    await closed;
    expect((await tunnel.sourceEnd).code).toBe(0);
    expect(incoming.bytes().equals(bytes)).toBe(true);
    const again = startCli(
      ["tunnel", "target", "--listen", `unix:${folder}/link`, ...tls("ours")].concat(
        "--vm",
        `vm=unix:${folder}/vm.in`,
      ),
      { stdio: "ignore" },
    );
    await until(() => existsSync(join(folder, "link")) || again.exitCode !== null);
    const words = ["tunnel", "source", "--connect", `unix:${folder}/link`, ...tls("theirs")];
    const place = { cwd: folder };
    await fail([...words, "--vm", "vm=unix:x.out"], place, { code: 1, line: /certificate|TLS/ });
  });

  it("leaves the guest paused and exits with 4 when the answer does not come", async () => {
    const folder = temporaryFolder();
    const [{ bytes }] = streams("cli tunnel doubt", ["vm"]);
    const incoming = fakeIncoming(`${folder}/vm.in`, bytes.length, false);
    const tunnel = await startTunnel(folder, ["vm"]);
    const outgoing = fakeOutgoing(`${folder}/vm.out`, bytes);
    let isClosed = false;
    void outgoing.closed.then(() => {
      isClosed = true;
    });
    await incoming.completed;
    tunnel.target.kill("SIGKILL");
    const source = await tunnel.sourceEnd;
    expect(source.code).toBe(4);
    expect(source.stderr).toMatch(/in doubt: vm\b/);
    const holder = Number(/held by process (\d+)/.exec(source.stderr)?.[1]);
    await sleep(300);
    expect(isClosed).toBe(false);
    // Whoever has looked at the target decides: without its holder the guest goes on.
    spawnSync("kill", [String(holder)]);
    await outgoing.closed;
  });

  it("lets the guest go on when the target is lost before", async () => {
    const folder = temporaryFolder();
    const [{ bytes }] = streams("cli tunnel loss", ["vm"]);
    fakeIncoming(`${folder}/vm.in`, bytes.length);
    const tunnel = await startTunnel(folder, ["vm"]);
    const outgoing = fakeOutgoing(`${folder}/vm.out`, bytes.subarray(0, bytes.length >> 1));
    await sleep(200);
    tunnel.target.kill("SIGKILL");
    await outgoing.closed;
    const source = await tunnel.sourceEnd;
    expect(source.code).toBe(1);
    expect(source.stderr).toMatch(/not migrated: vm/);
  });

  it("refuses words that make no sense, and links that others can read", async () => {
    const place = { cwd: temporaryFolder() };
    const usage = (line: RegExp) => ({ code: 2, line });
    const target = ["tunnel", "target", "--vm", "a=unix:a.in"];
    await fail([...target, "--listen", "10.1.2.3:7700"], place, usage(/without TLS/));
    await fail([...target, "--listen", "nonsense"], place, usage(/nonsense.*address/));
    await fail(["tunnel", "target", "--listen", "unix:x", "--vm", "a"], place, usage(/NAME=unix/));
    const twice = [...target, "--vm", "a=unix:b.in", "--listen", "unix:x"];
    await fail(twice, place, usage(/named twice/));
    for (const mode of ["0888", "66", "01777", "rw"]) {
      await fail([...target, "--socket-mode", mode], place, usage(/octal, like 0660/));
    }
  });
});
