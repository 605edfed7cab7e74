// What the sources of a move connect to: the QEMUs of the target over tcp, or the sockets of a
// tunnel between them.
import { join } from "node:path";
import type { Guest } from "./guest.ts";
import type { Host } from "./link.ts";
import { Tunnel, type TunnelOptions } from "./tunnel.ts";

export interface Route {
  /** Where each source is to migrate to. */
  uris: readonly string[];
  /** Where each target listens. */
  incoming: readonly string[];
  tunnel: Tunnel | undefined;
}

const FIRST_PORT = 7000;

/** Lets the targets listen, and opens the tunnel if one is wanted. */
export async function openRoute(
  targets: readonly Guest[],
  { from, to }: { from: Host; to: Host },
  via: "tcp" | TunnelOptions,
): Promise<Route> {
  if (via === "tcp") {
    const uris = targets.map((_, i) => `tcp:${to.address}:${FIRST_PORT + i}`);
    await listen(targets, uris);
    return { uris, incoming: uris, tunnel: undefined };
  }
  const ends = targets.map(({ name, fileName, options: { folder } }) => ({
    name,
    sourceSocket: join(folder, `${fileName}.out`),
    targetSocket: join(folder, `${fileName}.in`),
  }));
  const incoming = ends.map(({ targetSocket }) => `unix:${targetSocket}`);
  await listen(targets, incoming);
  const tunnel = await Tunnel.open(from, to, ends, via);
  return { uris: ends.map(({ sourceSocket }) => `unix:${sourceSocket}`), incoming, tunnel };
}

async function listen(targets: readonly Guest[], uris: readonly string[]): Promise<void> {
  await Promise.all(targets.map(({ qmp }, i) => qmp.execute("migrate-incoming", { uri: uris[i] })));
}
