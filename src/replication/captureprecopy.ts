// Capture by an ordinary migration to us: QEMU writes the memory while the guest runs, what was
// written to meanwhile once more, and stops the guest for the last of it. What is here is when that
// is sound, and when the guest has to stand still. Nothing hangs when nobody reads: QEMU gives up.
import { setTimeout as sleep } from "node:timers/promises";
import type { Qmp } from "../qemu/qmp.ts";
import type { GuestFacts } from "./capturecheck.ts";
import type { CaptureLease, CaptureSettings } from "./capturelease.ts";

/** QEMU stops the guest when the rest takes no longer than this, as it estimates. */
const LIMIT_MS = 5;
/** It takes no more than this many passes before we stop the guest. */
const MAX_PASSES = 2;
const POLL_MS = 10;
const wait = { timeoutMs: 10_000 };

export const PRECOPY_SETTINGS: CaptureSettings = {
  parameters: { "max-bandwidth": 2 ** 40, "downtime-limit": LIMIT_MS },
};

/** From this version on QEMU keeps account of all that an emulated guest writes. */
const SOUND_VERSION = 9;
/** Its faster way of account, which asks for blocks of such a size, was the one at fault. */
const FAST_BYTES = 256 << 10;
/** Blocks that no guest writes to. */
const READ_ONLY = /^\/rom@|\.rom$|(^|\.)pc\.bios$/;

/** Why this guest cannot be captured by pre-copy, or undefined. */
export async function precopyFault(
  qmp: Qmp,
  { qemuVersion }: GuestFacts,
): Promise<string | undefined> {
  if (Number.parseInt(qemuVersion, 10) >= SOUND_VERSION) return undefined;
  const { enabled } = await qmp.execute<{ enabled: boolean }>("query-kvm", undefined, wait);
  if (enabled) return undefined;
  const line = { "command-line": "info ramblock" };
  const text = await qmp.execute<string>("human-monitor-command", line, wait);
  const blocks = blocksOf(text);
  if (blocks.length === 0) return `QEMU ${qemuVersion} without KVM lists no blocks of RAM`;
  const lost = blocks.find(
    ({ name, byteLength }) => byteLength % FAST_BYTES === 0 && !READ_ONLY.test(name),
  );
  if (!lost) return undefined;
  return (
    `QEMU ${qemuVersion} without KVM loses writes to ${lost.name}, because its ` +
    `${lost.byteLength} bytes are a multiple of ${FAST_BYTES}`
  );
}

/** Lines of a name, the size of pages ("4 KiB"), the offset, and the bytes in use. */
function blocksOf(text: string): { name: string; byteLength: number }[] {
  const found = text.matchAll(/^\s*(\S.*?)\s+\d+ \wiB\s+0x[0-9a-f]+\s+(0x[0-9a-f]+)/gm);
  return [...found].map(([, name, used]) => ({ name, byteLength: Number(used) }));
}

interface PassAnswer {
  ram?: { "dirty-sync-count"?: number };
}

/**
 * Resolves when the guest stands still: QEMU has stopped it for the rest, or we do, because it
 * writes as fast as QEMU does.
 */
export async function untilStill(
  qmp: Qmp,
  lease: CaptureLease,
  signal: AbortSignal,
): Promise<void> {
  let isStopped = false;
  const stopped = lease.stopped(signal).then(() => {
    isStopped = true;
  });
  for (;;) {
    await Promise.race([stopped, sleep(POLL_MS, undefined, { signal })]);
    if (isStopped) return;
    const { ram } = await qmp.execute<PassAnswer>("query-migrate", undefined, wait);
    // Counted when a pass begins.
    if ((ram?.["dirty-sync-count"] ?? 0) > MAX_PASSES) await qmp.execute("stop", undefined, wait);
  }
}
