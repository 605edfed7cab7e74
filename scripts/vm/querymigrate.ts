// How far the migration of a guest is, as its QEMU says when it is asked.
import { setTimeout as sleep } from "node:timers/promises";
import type { Guest } from "./guest.ts";

const POLL_MS = 10;
/** What QEMU says when it will do no more by itself. */
export const FINAL = ["completed", "failed", "cancelled", "postcopy-paused"];

interface Answer {
  status?: string;
  ram?: { transferred: number; "dirty-sync-count": number };
}

/** Resolves with the first answer that is wanted, or that tells of an end. */
async function until({ qmp }: Guest, isWanted: (answer: Answer) => boolean): Promise<string> {
  for (;;) {
    const answer = await qmp.execute<Answer>("query-migrate");
    const { status = "none" } = answer;
    if (FINAL.includes(status) || isWanted(answer)) return status;
    await sleep(POLL_MS);
  }
}

/** So many passes over the memory of a guest are done, or its migration is over. */
export async function untilRounds(guest: Guest, rounds: number): Promise<void> {
  // The first count is that of what to send in the first pass.
  await until(guest, ({ ram }) => ram !== undefined && ram["dirty-sync-count"] > rounds);
}

/** So many bytes of its stream were sent, or its migration is over. */
export async function untilSent(guest: Guest, byteLength: number): Promise<void> {
  await until(guest, ({ ram }) => ram !== undefined && ram.transferred > byteLength);
}

/** No migration of a guest is under way; resolves with how the last one ended. */
export async function untilIdle(guest: Guest): Promise<string> {
  return until(guest, ({ status = "none" }) => status === "none");
}
