// Looks before a capture whether the guest can be captured, and says in one line why not. It
// changes nothing.
import { PagefoldError } from "../core/errors.ts";
import type { Qmp } from "../qemu/qmp.ts";

export interface CheckOptions {
  /** Somebody else sees to it that disks and memory belong together. Default: false. */
  allowWritableDisks?: boolean | undefined;
}

/** Capabilities that change what the stream is, or that QEMU does not combine with a snapshot. */
const IN_THE_WAY = [
  "multifd",
  "postcopy-ram",
  "postcopy-preempt",
  "return-path",
  "xbzrle",
  "compress",
  "rdma-pin-all",
  "release-ram",
  "auto-converge",
  "dirty-bitmaps",
  "block",
  "x-colo",
  "late-block-activate",
  "pause-before-switchover",
  "zero-copy-send",
  "mapped-ram",
  "validate-uuid",
  "background-snapshot",
  "x-ignore-shared",
];
/** What QEMU says of a migration when nothing is under way. */
const IDLE = [undefined, "none", "completed", "failed", "cancelled"];

export interface GuestFacts {
  /** Its UUID or its name, if it has one. */
  readonly guest?: string | undefined;
  /** Like "7.2.22". */
  readonly qemuVersion: string;
  /** Like "pc-q35-7.2". */
  readonly machine: string;
}

/** How a guest is captured is not asked here. Rejects with USAGE if it cannot be at all. */
export async function checkGuest(qmp: Qmp, options: CheckOptions = {}): Promise<GuestFacts> {
  await checkMigration(qmp);
  await checkRuns(qmp);
  if (!options.allowWritableDisks) await checkDisks(qmp);
  const { qemu } = await qmp.execute<VersionAnswer>("query-version");
  const type = await qmp.execute<string>("qom-get", { path: "/machine", property: "type" });
  return {
    guest: await nameOf(qmp),
    qemuVersion: `${qemu.major}.${qemu.minor}.${qemu.micro}`,
    machine: type.replace(/-machine$/, ""),
  };
}

/** What tells it from other guests of the same kind; with neither UUID nor name nothing does. */
async function nameOf(qmp: Qmp): Promise<string | undefined> {
  const { UUID } = await qmp.execute<{ UUID: string }>("query-uuid");
  if (!/^[0-]*$/.test(UUID)) return UUID;
  return (await qmp.execute<{ name?: string }>("query-name")).name;
}

interface VersionAnswer {
  qemu: { major: number; minor: number; micro: number };
}

interface MigrateAnswer {
  status?: string;
  "blocked-reasons"?: string[];
}

async function checkMigration(qmp: Qmp): Promise<void> {
  const answer = await qmp.execute<MigrateAnswer>("query-migrate");
  if (!IDLE.includes(answer.status)) refuse(`it is being migrated (${answer.status})`);
  const blocked = answer["blocked-reasons"]?.at(0);
  if (blocked !== undefined) refuse(`QEMU cannot migrate it: ${blocked}`);
  type Capability = { capability: string; state: boolean };
  const capabilities = await qmp.execute<Capability[]>("query-migrate-capabilities");
  const found = capabilities.find((one) => one.state && IN_THE_WAY.includes(one.capability));
  if (found) refuse(`${found.capability} is on: turn off the capability ${found.capability}`);
}

async function checkRuns(qmp: Qmp): Promise<void> {
  const { status } = await qmp.execute<{ status: string }>("query-status");
  if (status !== "running") refuse(`it does not run, it is ${status}: let it go on first`);
}

interface BlockAnswer {
  device?: string;
  qdev?: string;
  inserted?: { ro: boolean; file: string };
}

async function checkDisks(qmp: Qmp): Promise<void> {
  const disks = await qmp.execute<BlockAnswer[]>("query-block");
  const writable = disks.find(({ inserted }) => inserted && !inserted.ro);
  if (!writable) return;
  const name = writable.device || writable.qdev || "a disk";
  refuse(
    `disk ${name} (${writable.inserted?.file}) is writable: a backup would have the memory of ` +
      "one moment and the disk of another",
  );
}

function refuse(reason: string): never {
  throw new PagefoldError("USAGE", `the guest cannot be captured: ${reason}`);
}
