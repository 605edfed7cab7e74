// Cores of gdb as inputs, and converted memory as the programs of others read it: readelf and gdb.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { succeed } from "../support/cli.ts";
import { temporaryFolder } from "../support/folder.ts";
import { limeFile, loadsOfCore, rangesOfLime, someMemory } from "../support/memoryfiles.ts";
import { seededRandom } from "../support/random.ts";

const MAX_MAPPINGS = "/proc/sys/vm/max_map_count";
/** Every second page may not be written to, so that each is a mapping of its own. */
const MANY_MAPPINGS = `
  $| = 1;
  my $pairs = shift;
  my $base = syscall(9, 0, $pairs * 8192, 3, 0x22, -1, 0);
  for my $i (0 .. $pairs - 1) {
    syscall(10, $base + $i * 8192, 4096, 1) == 0 or die "mprotect: $!";
  }
  our $mark = "a line in the memory of a process " x 500;
  print "$pairs\\n";
  sleep 600;
`;

function run(command: string, words: readonly string[], cwd: string): string {
  const spawned = spawnSync(command, words, { cwd, encoding: "utf8", maxBuffer: 1 << 26 });
  const { status, stdout, stderr, error } = spawned;
  if (error) throw error;
  expect({ command, status, stderr: status === 0 ? "" : stderr }).toMatchObject({ status: 0 });
  return stdout;
}

/** A core by gcore of a process with twice as many mappings. */
async function coreOfProcess(cwd: string, pairs: number): Promise<string> {
  const child = spawn("perl", ["-e", MANY_MAPPINGS, String(pairs)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  await once(child.stdout, "data");
  run("gcore", ["-o", "core", String(child.pid)], cwd);
  child.kill("SIGKILL");
  return `core.${child.pid}`;
}

/** Program headers by readelf, which must have nothing to complain about. */
function loadsByReadelf(cwd: string, name: string): { address: bigint; byteLength: number }[] {
  return run("readelf", ["-lW", name], cwd)
    .split("\n")
    .filter((line) => line.startsWith("  LOAD"))
    .map((line) => {
      const [, , , physical, byteLength] = line.trim().split(/ +/);
      return { address: BigInt(physical), byteLength: Number(byteLength) };
    });
}

test("readelf finds the ranges of a converted LiME file", async () => {
  const cwd = temporaryFolder();
  const memory = someMemory(seededRandom(5), 1 << 20);
  writeFileSync(join(cwd, "vm.lime"), limeFile(memory));
  await succeed(["pack", "vm.lime", "-o", "A.pfa"], cwd);
  await succeed(["unpack", "A.pfa", "--as", "elf"], cwd);
  expect(run("readelf", ["-hW", "vm.lime.elf"], cwd)).toMatch(/CORE \(Core file\)/);
  const core = readFileSync(join(cwd, "vm.lime.elf"));
  expect(loadsByReadelf(cwd, "vm.lime.elf")).toEqual(
    loadsOfCore(core).map(({ physical: address, bytes }) => {
      return { address, byteLength: bytes.length };
    }),
  );
});

test("a core of gcore comes back, and gdb reads its memory when it was converted", async () => {
  const cwd = temporaryFolder();
  const name = await coreOfProcess(cwd, 40);
  await succeed(["pack", name, "-o", "A.pfa"], cwd);
  await succeed(["unpack", "A.pfa", "-C", "same"], cwd);
  expect(run("cmp", [name, join("same", name)], cwd)).toBe("");
  await succeed(["unpack", "A.pfa", "--as", "lime"], cwd);
  await succeed(["pack", `${name}.lime`, "-o", "L.pfa"], cwd);
  await succeed(["unpack", "L.pfa", "--as", "elf"], cwd);
  const mark = Buffer.from("a line in the memory of a process ".repeat(20));
  const found = rangesOfLime(readFileSync(join(cwd, `${name}.lime`))).find(({ bytes }) =>
    Buffer.from(bytes).includes(mark),
  );
  const { address, bytes } = found as { address: bigint; bytes: Buffer };
  const at = address + BigInt(bytes.indexOf(mark));
  const dump = `dump binary memory read ${at} ${at + BigInt(mark.length)}`;
  run("gdb", ["-batch", "-nx", "-c", `${name}.lime.elf`, "-ex", dump], cwd);
  expect(readFileSync(join(cwd, "read")).equals(mark)).toBe(true);
});

test("a core of 70 000 mappings", { timeout: 180_000 }, async ({ skip }) => {
  const limit = readFileSync(MAX_MAPPINGS, "utf8");
  try {
    if (Number(limit) < 80_000) writeFileSync(MAX_MAPPINGS, "80000");
  } catch {
    skip("only root may raise the number of mappings that a process can have");
  }
  try {
    const cwd = temporaryFolder();
    const name = await coreOfProcess(cwd, 35_000);
    const loads = loadsByReadelf(cwd, name);
    expect(loads.length).toBeGreaterThan(70_000);
    await succeed(["pack", name, "-o", "A.pfa"], cwd);
    const { images } = JSON.parse(await succeed(["list", "A.pfa", "--json"], cwd));
    expect(images[0].format).toBe("elf-core");
    await succeed(["unpack", "A.pfa", "-C", "same"], cwd);
    expect(run("cmp", [name, join("same", name)], cwd)).toBe("");
    await succeed(["unpack", "A.pfa", "--as", "lime"], cwd);
    const sum = (lengths: number[]): number => lengths.reduce((all, one) => all + one, 0);
    const ranges = rangesOfLime(readFileSync(join(cwd, `${name}.lime`)));
    expect(sum(ranges.map(({ bytes }) => bytes.length))).toBe(
      sum(loads.map(({ byteLength }) => byteLength)),
    );
  } finally {
    writeFileSync(MAX_MAPPINGS, limit);
  }
});
