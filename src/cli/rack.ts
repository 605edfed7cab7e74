// pagefold rack: what hosts of racks share in a Redis server.
import type { Command } from "commander";
import { type RackStatus, rackStatus, redisTlsIn } from "../index.ts";
import { formatBytes, formatPercent, printable } from "./format.ts";
import { addExamples } from "./options.ts";
import { print } from "./streams.ts";
import { formatTable } from "./table.ts";
import { printJson } from "./work.ts";

interface StatusWords {
  tlsDir?: string;
  json?: boolean;
}

export function defineRack(command: Command): void {
  addExamples(command, [["pagefold rack status redis://10.0.0.9", "of an index, or a store"]]);
  const status = command
    .command("status")
    .usage("URL [--tls-dir DIR] [--json]")
    .summary("show what a Redis server does for racks")
    .description("Shows what a Redis server does for racks: as index, as store, or as both.")
    .argument("<url>", "redis://HOST:PORT, rediss://HOST:PORT or redis+unix:///PATH")
    .option("--tls-dir <dir>", "certificates, as QEMU's x509 credentials have them")
    .option("--json", "one JSON object on stdout")
    .action(runStatus);
  addExamples(status, [
    ["pagefold rack status redis://10.0.0.9", "a password may be in REDISCLI_AUTH"],
    ["pagefold rack status rediss://10.0.0.9 --tls-dir /etc/pki/qemu --json", "for programs"],
  ]);
}

async function runStatus(url: string, { tlsDir, json }: StatusWords): Promise<void> {
  const tls = tlsDir === undefined ? undefined : redisTlsIn(tlsDir);
  const status = await rackStatus(url, { tls });
  if (json) await printJson("rack-status", status);
  else await print(statusTable(status));
}

function statusTable({ index, store, ...server }: RackStatus): string {
  const rows: string[][] = [];
  const row = (name: string, value: string | number) => rows.push([name, String(value)]);
  row("server", printable(server.server));
  if (server.serverCount > 1) row("servers", server.serverCount);
  const most = server.maxBytes > 0 ? ` of ${formatBytes(server.maxBytes)}` : "";
  row("memory", `${formatBytes(server.usedBytes)}${most}`);
  row("evictions", server.evictions);
  if (index) {
    row("index", `${index.entries} digests`);
    row("  asked", index.asked);
    row("  spared", `${formatPercent(index.claimed + index.stored, index.asked)} (another host)`);
    row("  hosts", index.members.length);
    const names = index.members.map(({ host, rack }) => `${host} → ${rack}`).sort();
    for (const name of names) row("", printable(name));
  }
  if (store) {
    row("store", `${store.pages} pages`);
    row("  rack", printable(store.rack));
    row("  hits", `${formatPercent(store.hits, store.hits + store.misses)} of look-ups`);
  }
  if (!index && !store) row("racks", "none: no index and no store");
  return formatTable(COLUMNS, rows);
}

const COLUMNS = [
  { title: "", align: "left" as const },
  { title: "", align: "left" as const },
];
