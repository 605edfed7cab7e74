// How a QEMU is told to migrate: capabilities and parameters. All that we know are set each time,
// because a guest at work keeps those of its last migration.
import type { Guest } from "./guest.ts";

export interface Setting {
  capabilities?: readonly string[];
  parameters?: Readonly<Record<string, string | number>>;
}

/** QEMU's own limit on its speed is not what is measured or tested here. */
const MAX_BANDWIDTH = 10240 * 2 ** 20;
/** QEMU's default. */
const DOWNTIME_LIMIT_MS = 300;
const CAPABILITIES = ["xbzrle", "multifd", "postcopy-ram", "return-path", "events"];

export async function configure({ qmp }: Guest, setting: Setting): Promise<void> {
  const { capabilities = [], parameters = {} } = setting;
  const wanted = new Set(["events", ...capabilities]);
  await qmp.execute("migrate-set-capabilities", {
    capabilities: CAPABILITIES.map((capability) => ({
      capability,
      state: wanted.has(capability),
    })),
  });
  await qmp.execute("migrate-set-parameters", {
    "max-bandwidth": MAX_BANDWIDTH,
    "downtime-limit": DOWNTIME_LIMIT_MS,
    "multifd-compression": "none",
    ...parameters,
  });
}
