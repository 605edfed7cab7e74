// The end of a tunnel in words: what became of each guest, and what crossed the link.
import type { GuestReport, TunnelReport } from "../index.ts";
import { formatBytes, formatCount, formatDuration, formatRatio, printable } from "./format.ts";
import { countRows } from "./found.ts";
import { formatTable } from "./table.ts";

const FOUND = [
  { title: "", align: "left" },
  { title: "", align: "right" },
  { title: "", align: "right" },
] as const;

export function describeTunnel(report: TunnelReport): string {
  const { guests, counts, rack, streamBytes, wireBytes, elapsedMs } = report;
  const lines = guests.map((guest) => `${printable(describeGuest(guest))}\n`);
  if (counts) lines.push(formatTable(FOUND, countRows(counts)));
  if (rack) {
    const { named, answered, shared } = rack;
    const sent = `of which ${answered} had to be sent after all`;
    lines.push(`rack: ${formatCount(named, "page")} by name, ${sent}; ${shared} for others\n`);
  }
  const sum = `${formatBytes(streamBytes)} of streams in ${formatBytes(wireBytes)} on the wire`;
  const ratio = formatRatio(streamBytes, wireBytes);
  lines.push(`${sum}, ${ratio}, ${formatDuration(elapsedMs)}\n`);
  return lines.join("");
}

function describeGuest(guest: GuestReport): string {
  const { name, outcome, streamBytes, wireBytes, totalMigrationTimeMs, rounds } = guest;
  const parts = [
    `${formatBytes(streamBytes)} in ${formatBytes(wireBytes)}`,
    formatRatio(streamBytes, wireBytes),
    formatDuration(totalMigrationTimeMs),
  ];
  if (rounds > 0) parts.push(formatCount(rounds, "round"));
  if (guest.handoverMs !== undefined) {
    parts.push(`handed over in ${Math.round(guest.handoverMs)} ms`);
  }
  const what = outcome === "doubt" ? "in doubt" : outcome === "failed" ? "not migrated" : outcome;
  return `${name}: ${what}: ${parts.join(", ")}`;
}
